// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Typed TPM commands and sessions over a transport.
#![no_std]
#![forbid(unsafe_code)]
