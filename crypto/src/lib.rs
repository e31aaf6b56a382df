// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cryptographic traits and their pure-Rust implementation, with an RSA module of our own.
#![no_std]
#![forbid(unsafe_code)]
