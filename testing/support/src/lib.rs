// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What tests of several crates share.
#![forbid(unsafe_code)]
