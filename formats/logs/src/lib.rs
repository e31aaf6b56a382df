// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TCG event logs and IMA measurement lists: parsing and replay.
//!
//! Documents: *TCG PC Client Platform Firmware Profile Specification*, family 2.0, version 1.06 (PFP); *UEFI
//! Specification* 2.10; the Linux kernel's *Integrity Measurement Architecture* (`security/integrity/ima`).
//!
//! A log by itself proves nothing: it explains values that a TPM has signed. This crate therefore only parses, and
//! computes what the registers would hold if the log were true. Hash functions come in through [`Hashes`].
//!
//! ```
//! use evtpm_logs::{EventLog, HashId};
//!
//! // One legacy record: PCR 4, EV_ACTION, a SHA-1 digest, two bytes of data.
//! let mut log = vec![4, 0, 0, 0, 5, 0, 0, 0];
//! log.extend([0xAA; 20]);
//! log.extend([2, 0, 0, 0, b'h', b'i']);
//!
//! let log = EventLog::parse(&log)?;
//! let event = log.events().next().unwrap()?;
//! assert_eq!(event.kind.to_string(), "EV_ACTION");
//! assert_eq!(event.digests().find(HashId::SHA1), Some(&[0xAA; 20][..]));
//! assert_eq!(event.data, b"hi");
//! # Ok::<(), evtpm_logs::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
pub mod cel;
mod digest;
mod error;
pub mod ima;
mod pcr;
pub mod tcg;
mod text;

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod testing;

pub use digest::{Digest, HashId, Hashes};
pub use error::{At, Error};
pub use pcr::{PcrBank, PcrIndex, PcrSet};
pub use tcg::EventLog;
pub use text::{Hex, Text, Utf16};
