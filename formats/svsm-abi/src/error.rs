// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be wrong with the bytes of an SVSM request or manifest.

use core::fmt;

use evtpm_layout::WrongLength;

/// The reason why bytes are not the structure that they claim to be; each variant names the structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// There are more or fewer bytes than the structure has.
    Length {
        /// The structure.
        what: &'static str,
        /// The size that the specification or the structure itself gives.
        expected: usize,
        /// The size received.
        actual: usize,
    },
    /// A field holds a value that the specification does not allow there.
    Value {
        /// The field.
        what: &'static str,
        /// The value received.
        actual: u64,
    },
    /// A reserved field is not zero.
    Reserved {
        /// The structure.
        what: &'static str,
        /// The field's offset in it.
        offset: usize,
    },
    /// An offset or length inside the structure points outside of it.
    OutOfBounds {
        /// The field.
        what: &'static str,
        /// The first byte that the field claims.
        offset: usize,
        /// The number of bytes that the field claims.
        length: usize,
        /// The number of bytes that there are.
        available: usize,
    },
    /// The caller's buffer cannot hold what is to be written.
    BufferTooSmall {
        /// What was to be written.
        what: &'static str,
        /// The number of bytes needed.
        needed: usize,
        /// The number of bytes given.
        available: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { what, expected, actual } => write!(f, "{what}: expected {expected} bytes, got {actual}"),
            Self::Value { what, actual } => write!(f, "{what}: value {actual:#x} is not allowed"),
            Self::Reserved { what, offset } => write!(f, "{what}: reserved field at {offset:#x} is not zero"),
            Self::OutOfBounds { what, offset, length, available } => {
                write!(f, "{what}: {length} bytes at {offset:#x} lie outside of {available} bytes")
            }
            Self::BufferTooSmall { what, needed, available } => {
                write!(f, "{what}: needs {needed} bytes, the buffer has {available}")
            }
        }
    }
}

impl core::error::Error for Error {}

impl From<WrongLength> for Error {
    fn from(WrongLength { what, expected, actual }: WrongLength) -> Self {
        Self::Length { what, expected, actual }
    }
}
