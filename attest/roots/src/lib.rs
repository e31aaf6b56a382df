// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pinned vendor roots with provenance: data and lookup, no decision.
#![no_std]
#![forbid(unsafe_code)]

mod amd;

pub use amd::{AMD, AmdProduct, AmdRoot};
