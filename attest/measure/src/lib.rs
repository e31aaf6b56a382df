// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Predicts launch digests from files.
#![forbid(unsafe_code)]
