// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why an image was not made, or no TPM was made of it.

use core::fmt;

use evtpm_engine::snapshot::Invalid;
use evtpm_tpm_wire::Rc;

use crate::Part;

/// Why an image was not made, or no TPM was made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The bytes do not begin as an image does.
    NotAnImage,
    /// The image is of a version that this program does not know.
    Version {
        /// The latest version that is known.
        known: u16,
        /// The image's version.
        actual: u16,
    },
    /// The image has fewer or more bytes than its header says.
    Size {
        /// Bytes that the header announces.
        expected: usize,
        /// Bytes that there are.
        actual: usize,
    },
    /// It is the other part of the state.
    Part {
        /// The part that was wanted.
        expected: Part,
        /// The part that it is.
        actual: Part,
    },
    /// The digest of an image that is not sealed does not match.
    Damaged,
    /// The image is sealed, and no key was given.
    KeyNeeded,
    /// The image is not sealed although a key was given: anybody could have made it.
    NotSealed,
    /// The image was sealed with another key, or was changed since.
    WrongKey,
    /// A value is none of its type, or one that the profile does not have.
    Value {
        /// Where it begins, counted from the beginning of the state.
        offset: usize,
        /// What is wrong with it.
        rc: Rc,
    },
    /// Bytes are left after the last value.
    Leftover {
        /// How many.
        bytes: usize,
    },
    /// The state is larger than an image can be.
    TooLong,
    /// The engine refused the state.
    State(Invalid),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnImage => f.write_str("this is no state image of an evtpm"),
            Self::Version { known, actual } => {
                write!(f, "a state image of version {actual}; {known} is the latest known")
            }
            Self::Size { expected, actual } => write!(f, "a state image of {expected} bytes has {actual}"),
            Self::Part { expected, actual } => write!(f, "the {actual:?} state where the {expected:?} state is wanted"),
            Self::Damaged => f.write_str("the state image is damaged"),
            Self::KeyNeeded => f.write_str("the state image is encrypted and no key was given"),
            Self::NotSealed => f.write_str("the state image is not encrypted although a key was given"),
            Self::WrongKey => f.write_str("the state image was encrypted with another key or is damaged"),
            Self::Value { offset, rc } => write!(f, "a wrong value in the state, at {offset}: {rc}"),
            Self::Leftover { bytes } => write!(f, "{bytes} bytes after the end of the state"),
            Self::TooLong => f.write_str("the state is too long for an image"),
            Self::State(invalid) => write!(f, "the state does not fit this TPM: {invalid}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::State(invalid)
    }
}
