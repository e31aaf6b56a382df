// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The structures of Part 2, by subject.
mod attest;
mod capability;
mod common;
mod context;
mod ecc;
mod header;
mod lattice;
mod nv;
mod pcr;
mod public;
mod rsa;
mod schemes;
mod sensitive;
mod signature;
mod symmetric;
mod ticket;

pub use attest::*;
pub use capability::*;
pub use common::*;
pub use context::*;
pub use ecc::*;
pub use header::*;
pub use lattice::*;
pub use nv::*;
pub use pcr::*;
pub use public::*;
pub use rsa::*;
pub use schemes::*;
pub use sensitive::*;
pub use signature::*;
pub use symmetric::*;
pub use ticket::*;
