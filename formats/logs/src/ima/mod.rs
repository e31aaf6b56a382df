// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IMA measurement lists (Linux, `security/integrity/ima`, "ima_template.c", "ima_template_lib.c").
//!
//! An entry's template data are what is hashed and extended; the list's template hash is SHA-1 of them (or of the
//! bank, in the lists per bank of newer kernels), while each bank is extended with its own hash of the same data.

mod aggregate;
mod ascii;
mod binary;
mod device_mapper;
mod entry;
mod replay;
mod signature;
mod stream;
mod template;

#[cfg(test)]
mod tests;

pub use aggregate::{AggregateRange, boot_aggregate};
pub use ascii::{AsciiList, AsciiRecord};
pub use binary::{BinaryList, MAX_TEMPLATE_DATA, Step, next_entry};
pub use device_mapper::DeviceName;
pub use entry::{DigestKind, Entry, FileDigest};
pub use replay::{TemplateDigests, extend};
pub use signature::ImaSignature;
pub use stream::Stream;
pub use template::{Field, MAX_FIELDS, Template};
