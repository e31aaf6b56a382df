// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why no launch digest can be predicted from a file.

use core::fmt;

/// The reason for which a file is not what can be launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The file ends before something that it has to contain.
    Truncated {
        /// What is missing.
        what: &'static str,
    },
    /// A field of the file has a value that cannot be launched.
    Invalid {
        /// The field.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The file lacks a structure that this kind of launch needs.
    Missing {
        /// The structure.
        what: &'static str,
    },
    /// More memory is to be launched than this predictor looks at.
    TooLarge {
        /// The number of pages.
        pages: u64,
        /// The limit.
        limit: u64,
    },
    /// A guest physical address is not that of a page.
    Unaligned {
        /// The address.
        gpa: u64,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { what } => write!(f, "the file ends before its {what}"),
            Self::Invalid { what, detail } => write!(f, "{what}: {detail}"),
            Self::Missing { what } => write!(f, "the file has no {what}"),
            Self::TooLarge { pages, limit } => write!(f, "{pages} pages are more than the limit of {limit}"),
            Self::Unaligned { gpa } => write!(f, "{gpa:#x} is not the address of a page"),
        }
    }
}

impl core::error::Error for Error {}
