// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why bytes are not the evidence that they claim to be.

use alloc::string::String;
use core::fmt;

/// The error of this crate: each variant names the structure or the field at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end inside of a field.
    Truncated {
        /// The field.
        what: &'static str,
        /// Bytes that the field needs.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// Bytes follow the structure.
    Trailing {
        /// The structure.
        what: &'static str,
        /// The number of bytes.
        count: usize,
    },
    /// A field has a value that this crate does not know.
    Unknown {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
    },
    /// A field has not the length that it has to have.
    Length {
        /// The field.
        what: &'static str,
        /// The length that is expected.
        expected: usize,
        /// The length that it has.
        actual: usize,
    },
    /// A field that has to be there is missing.
    Missing {
        /// The field.
        what: &'static str,
    },
    /// A field is there twice.
    Twice {
        /// The field.
        what: &'static str,
    },
    /// The encoding of a structure is broken.
    Malformed {
        /// The structure.
        what: &'static str,
        /// What the decoder said.
        detail: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what, needed, available } => {
                write!(f, "{what} needs {needed} bytes, and {available} are left")
            }
            Self::Trailing { what, count } => write!(f, "{what} is followed by {count} bytes"),
            Self::Unknown { what, value } => write!(f, "{what} has the unknown value {value:#x}"),
            Self::Length { what, expected, actual } => write!(f, "{what} has {actual} bytes instead of {expected}"),
            Self::Missing { what } => write!(f, "{what} is missing"),
            Self::Twice { what } => write!(f, "{what} is there twice"),
            Self::Malformed { what, detail } => write!(f, "malformed {what}: {detail}"),
        }
    }
}

impl core::error::Error for Error {}
