// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Logs that a verified quote proves (verification rules 11 and 12).
//!
//! A [`Quote`](crate::tpm::Quote) and the firmware's event log become a [`MeasuredBoot`]; that and an IMA list become a
//! [`MeasuredRuntime`]. Only what a quoted digest covers is shown as a fact.

mod boot;
mod command_line;
mod error;
mod event;
mod hashes;
mod keyring;
mod others;
mod prefix;
mod progress;
mod registers;
mod runtime;

#[cfg(test)]
mod tests;

pub use boot::MeasuredBoot;
pub use command_line::CommandLine;
pub use error::Error;
pub use event::VerifiedEvent;
pub use hashes::CryptoHashes;
pub use keyring::{Keyring, SignatureState};
pub use progress::{Continued, Progress};
pub use registers::RuntimeRegisters;
pub use runtime::{Aggregate, ImaFile, MeasuredRuntime, RuntimeRules};
