// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What evidence says, field by field, so that a person understands it. Nothing of it is verified here.
#![forbid(unsafe_code)]

mod attestation;
mod boot_log;
mod csv;
mod error;
mod field;
mod ima;
mod public_key;
mod registers;
mod report;

pub use attestation::{attestation, signature};
pub use boot_log::{Basis, BootLog, Line};
pub use error::Error;
pub use field::Field;
pub use ima::{Mark, each_entry, entry_to_json, file_digest, signer};
pub use public_key::public_key;
pub use registers::{Registers, registers_to_json};
pub use report::{generation, report, tcb_components};
