// SPDX-License-Identifier: Apache-2.0 OR MIT
//! AMD SEV-SNP wire formats: bytes to values and back, without cryptography, policy or allocation.
//!
//! Documents, by the names used below: the *SNP ABI* is "SEV Secure Nested Paging Firmware ABI Specification"
//! (publication 56860), the *GHCB* is "SEV-ES Guest-Hypervisor Communication Block Standardization" (56421), the *APM* is
//! "AMD64 Architecture Programmer's Manual, Volume 2" (24593) and the *VCEK specification* is publication 57230.
//!
//! A structure is declared once, in the order and with the offsets of its table, by [`evtpm_layout::layout!`]: the compiler
//! refuses a declaration whose field is not where the table says. Every structure can be viewed in place in a byte
//! buffer of any alignment, so received bytes stay exactly as they were received.
//!
//! ```
//! use evtpm_snp::{Report, Generation, StatedGeneration};
//!
//! // A report that cannot be one is refused with the reason.
//! assert!(Report::parse(&[0; 0x4a0]).is_err());
//!
//! let mut bytes = [0; 0x4a0];
//! bytes[0] = 3; // version
//! bytes[0x188..0x18a].copy_from_slice(&[0x19, 0x11]); // CPUID family and model
//! let report = Report::parse(&bytes)?;
//! assert_eq!(report.generation(), StatedGeneration::Known(Generation::Genoa));
//! # Ok::<(), evtpm_snp::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

#[cfg(test)]
extern crate std;

pub mod cert_table;
pub mod cpuid;
pub mod error;
pub mod ghcb;
pub mod id_block;
pub mod launch;
pub mod message;
pub mod policy;
pub mod report;
pub mod request;
pub mod secrets;
pub mod signature;
pub mod status;
pub mod tcb;
pub mod vmsa;

pub use cert_table::CertTable;
pub use error::Error;
pub use evtpm_layout::{TextualGuid, U16, U32, U64};
pub use id_block::{IdAuth, IdBlock};
pub use launch::{LaunchDigest, LaunchMeasurement, PageInfo, PageType};
pub use message::{GuestMessage, MessageHeader, MessageType};
pub use policy::{GuestPolicy, KeyInfo, PlatformInfo, SigningKey};
pub use report::{FirmwareVersion, Report, ReportBody, ReportVersion, StatedGeneration};
pub use signature::{EcdsaPublicKey, EcdsaSignature};
pub use status::Status;
pub use tcb::{Generation, Tcb, TcbVersion};

/// The size of a page that the firmware exchanges, launches or measures.
pub const PAGE_SIZE: usize = 0x1000;
