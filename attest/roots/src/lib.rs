// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pinned vendor roots with provenance: data and lookup, no decision.
#![no_std]
#![forbid(unsafe_code)]

mod amd;
mod hygon;
mod vendors;

pub use amd::{AMD, AmdProduct, AmdRoot};
pub use hygon::{HYGON, Sm2Root};
pub use vendors::{AWS_NITRO_G1, INTEL_SGX, NVIDIA_DEVICE, NVIDIA_RIM, VendorRoot};
