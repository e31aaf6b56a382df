// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Structures as specifications tabulate them, and GUIDs as firmware stores them.
//!
//! ```
//! evtpm_layout::layout! {
//!     #[derive(Debug)]
//!     /// A GUID, an offset and a length, as tables of firmware have them.
//!     pub struct TableEntry, 0x18 {
//!         /// What it is.
//!         0x00 guid: evtpm_layout::Guid,
//!         /// Where it is, in bytes from the start of the table.
//!         0x10 offset: evtpm_layout::U32,
//!         /// How many bytes it has.
//!         0x14 length: evtpm_layout::U32,
//!     }
//! }
//!
//! let entry = TableEntry::view(&[0; 24])?;
//! assert_eq!(entry.length.get(), 0);
//! assert_eq!(TableEntry::view(&[0; 23]).unwrap_err().to_string(), "TableEntry: expected 24 bytes, got 23");
//! # Ok::<(), evtpm_layout::WrongLength>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

#[cfg(test)]
extern crate std;

mod guid;
mod structure;

pub use guid::{Guid, TextualGuid};
pub use structure::{U16, U32, U64, WrongLength};
