// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Allocators with which measurements and tests look at the heap of a TPM; what is `unsafe` about that stands here alone.
#![no_std]

#[cfg(not(target_os = "none"))]
extern crate std;

#[cfg(not(target_os = "none"))]
pub mod counting;
mod nothing;
#[cfg(not(target_os = "none"))]
pub mod watching;

pub use nothing::Nothing;
