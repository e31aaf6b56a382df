// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM 2.0 in safe, no_std Rust.
#![no_std]
#![forbid(unsafe_code)]
