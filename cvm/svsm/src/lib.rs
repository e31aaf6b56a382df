// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The e-vTPM as an SVSM service: EK manufacture, binding to the chip, vTPM and attestation protocols.
//!
//! Documents, by the names used below: the *SVSM specification* is AMD's "Secure VM Service Module for SEV-SNP Guests"
//! (publication 58019), the *SNP ABI* publication 56860, the *GHCB* publication 56421; *the paper* is Narayanan et al.,
//! "Remote attestation of SEV-SNP confidential VMs using e-vTPMs" (2023).
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

#[cfg(test)]
extern crate std;

mod attest;
pub mod channel;
pub mod memory;
pub mod processor;
mod report;
pub mod service;
mod vtpm;

pub use channel::{ChannelError, GuestChannel};
pub use memory::{GuestMemory, NotGuestMemory};
pub use processor::{HostError, SecureProcessor};
pub use report::{REPORT_DATA_SIZE, ReportError};
pub use service::{EK_CERTIFICATES, Svsm};
