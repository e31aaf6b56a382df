// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TPM 2.0 Library Part 2 structures and Part 3 command layouts: bytes to values and back.
//!
//! The documents are Part 2 ("Structures") and Part 3 ("Commands") of the TCG TPM 2.0 Library, version 185 of 2026-03.
//! Everything is declared once and works in both directions, so that the engine and its clients cannot disagree:
//!
//! ```
//! use evtpm_tpm_wire::{Marshal, Rc, Supported, TpmaObject, from_bytes};
//!
//! let attributes: TpmaObject = from_bytes(&[0, 3, 0, 0xB2], &Supported::ALL)?;
//! assert!(attributes.contains(TpmaObject::RESTRICTED));
//! # Ok::<(), Rc>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

extern crate alloc;

mod algorithms;
mod attributes;
mod buf;
mod cc;
pub mod commands;
mod constants;
mod handles;
mod large;
mod list;
mod macros;
mod rc;
mod reader;
mod sized;
mod spec;
mod structures;
mod supported;
mod writer;

pub use algorithms::*;
pub use attributes::*;
pub use buf::{Buf, Bytes, Secret};
pub use cc::{ALL_COMMAND_CODES, Cc};
pub use constants::*;
pub use handles::*;
pub use large::Large;
pub use list::List;
pub use rc::{ALL_CODES, Rc, Subject};
pub use reader::{Reader, Unmarshal, from_bytes};
pub use sized::Tpm2b;
pub use spec::*;
pub use structures::*;
pub use supported::{AlgSet, CurveSet, KeyBits, Supported};
pub use writer::{Marshal, Overflow, Writer};
