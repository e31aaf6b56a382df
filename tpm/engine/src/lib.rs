// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A TPM 2.0 in safe, no_std Rust: bytes in, bytes out, and nothing that survives it.
//!
//! The documents are Parts 1 to 3 of the TCG TPM 2.0 Library, version 185 of 2026-03, and the PC Client Platform TPM
//! Profile 1.06; clauses are cited by name. A [`Tpm`] is a value: many of them live side by side, each with its own
//! [`Profile`] and [`Platform`]. All memory is reserved when it is made; running out later is `TPM_RC_MEMORY`.
//!
//! Read [`dispatch`](Tpm::execute) for what happens to every command, `commands` for what each one does, `state` for
//! what they change.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod algorithm;
mod commands;
mod dispatch;
mod entity;
mod failure;
mod host;
mod memory;
mod name;
mod object;
mod pcr_selection;
mod platform;
mod profile;
mod self_test;
pub mod snapshot;
mod state;
#[cfg(test)]
mod testing;
mod ticket;
mod tpm;
mod work;

pub use dispatch::Execution;
pub use failure::{Failure, Phase};
pub use host::{Ek, Host, HostError, Pending};
pub use memory::OutOfMemory;
pub use platform::{Locality, Platform};
pub use profile::{Identity, Limits, Profile};
pub use state::DaParameters;
pub use tpm::Tpm;
pub use work::Step;
