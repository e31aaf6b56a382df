// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs in the guest: quotes, logs, registration.
#![forbid(unsafe_code)]
