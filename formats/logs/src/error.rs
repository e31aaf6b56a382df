// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can be wrong with a log, with the record and the offset to blame.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use crate::{Digest, HashId};

/// Where in a log an error was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The record's number, from zero, header included.
    pub record: u32,
    /// The offset in bytes from the start of the log.
    pub offset: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} at offset {}", self.record, self.offset)
    }
}

/// The error of this crate: each variant names the offending record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The log ends inside a field.
    Truncated {
        /// Where.
        at: At,
        /// The field.
        what: &'static str,
        /// Bytes that the field needs.
        needed: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// A length or count is above the limit of this crate.
    TooLong {
        /// Where.
        at: At,
        /// The field.
        what: &'static str,
        /// The length or count found.
        length: usize,
        /// The largest accepted.
        limit: usize,
    },
    /// The log has more records than this crate accepts.
    TooManyRecords {
        /// Where the first record too many starts.
        at: At,
        /// The largest number accepted.
        limit: u32,
    },
    /// The Spec ID header names an algorithm with a digest size that is not the algorithm's.
    DigestSize {
        /// Where.
        at: At,
        /// The algorithm.
        algorithm: HashId,
        /// Its digest size.
        expected: usize,
        /// The size in the log.
        actual: usize,
    },
    /// An algorithm occurs twice in the header, or two digests of one event are for the same bank.
    DuplicateAlgorithm {
        /// Where.
        at: At,
        /// The algorithm.
        algorithm: HashId,
    },
    /// An event has a digest for an algorithm that the header does not list, so its size is unknown.
    UnlistedAlgorithm {
        /// Where.
        at: At,
        /// The algorithm.
        algorithm: HashId,
    },
    /// The log has no digests for the bank that is asked for.
    BankNotLogged {
        /// The bank.
        algorithm: HashId,
    },
    /// The caller's hash functions do not include this one.
    UnsupportedHash {
        /// The algorithm.
        algorithm: HashId,
    },
    /// A record extends a register that does not exist.
    PcrOutOfRange {
        /// Where.
        at: At,
        /// The register's number.
        pcr: u32,
    },
    /// A StartupLocality event names a locality that cannot start a TPM.
    StartupLocality {
        /// Where.
        at: At,
        /// The locality.
        locality: u8,
    },
    /// A StartupLocality event follows an event of PCR 0, or another StartupLocality event.
    LateStartupLocality {
        /// Where.
        at: At,
    },
    /// An IMA entry uses a template that is neither known by name nor a format string of known fields.
    UnknownTemplate {
        /// Where.
        at: At,
        /// The template's name, with control characters escaped.
        name: String,
    },
    /// A field's content does not have the form that its template demands.
    Malformed {
        /// Where.
        at: At,
        /// What was expected.
        expected: &'static str,
    },
    /// An IMA entry's template hash is not the hash of its template data.
    TemplateHash {
        /// Where.
        at: At,
        /// The hash of the template data.
        expected: Box<Digest>,
        /// The hash in the list.
        actual: Box<Digest>,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Truncated { at, what, needed, available } => {
                write!(f, "{at}: the log ends inside {what} ({needed} bytes needed, {available} left)")
            }
            Error::TooLong { at, what, length, limit } => {
                write!(f, "{at}: {what} of {length} is above the limit of {limit}")
            }
            Error::TooManyRecords { at, limit } => write!(f, "{at}: more than {limit} records"),
            Error::DigestSize { at, algorithm, expected, actual } => {
                write!(f, "{at}: the header gives {algorithm} digests {actual} bytes instead of {expected}")
            }
            Error::DuplicateAlgorithm { at, algorithm } => write!(f, "{at}: {algorithm} occurs twice"),
            Error::UnlistedAlgorithm { at, algorithm } => {
                write!(f, "{at}: a digest of {algorithm}, which the header does not list")
            }
            Error::BankNotLogged { algorithm } => write!(f, "the log has no digests for the bank {algorithm}"),
            Error::UnsupportedHash { algorithm } => write!(f, "no hash function for {algorithm}"),
            Error::PcrOutOfRange { at, pcr } => write!(f, "{at}: PCR {pcr} does not exist"),
            Error::StartupLocality { at, locality } => {
                write!(f, "{at}: StartupLocality {locality} is none of 0, 3, 4")
            }
            Error::LateStartupLocality { at } => {
                write!(f, "{at}: StartupLocality after the start of PCR 0 is already decided")
            }
            Error::UnknownTemplate { at, name } => write!(f, "{at}: unknown IMA template \"{name}\""),
            Error::Malformed { at, expected } => write!(f, "{at}: expected {expected}"),
            Error::TemplateHash { at, expected, actual } => {
                write!(f, "{at}: the template data hash to {expected}, the list says {actual}")
            }
        }
    }
}

impl core::error::Error for Error {}
