// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TPM 2.0 Library Part 2 structures and Part 3 command layouts: bytes to values and back.
#![no_std]
#![forbid(unsafe_code)]
