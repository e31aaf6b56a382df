// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Canonical Event Log (TCG *Canonical Event Log Format* 1.0): one information model in three encodings.
//!
//! JSON comes as an array or as a sequence of records (RFC 7464, or one a line), as systemd writes its userspace log;
//! CBOR as an array or a sequence; TLV as a sequence. A log is read whole; [`Records`] reads TLV one record at a time.
//!
//! ```
//! use evtpm_logs::cel::{Content, Log, Register};
//!
//! let text = br#"{"pcr":11,"digests":[],"content_type":"systemd","content":{"eventType":"phase","string":"sysinit"}}"#;
//! let log = Log::parse(text)?;
//! let [entry] = log.entries() else { panic!("one record") };
//! assert_eq!(entry.register, Register::Pcr(11));
//! assert!(matches!(&entry.content, Content::Systemd { text: Some(text), .. } if text == "sysinit"));
//! # Ok::<(), evtpm_logs::Error>(())
//! ```

mod cbor;
mod convert;
mod entry;
mod json;
mod tlv;

#[cfg(test)]
mod tests;

use entry::content;

pub use entry::{Content, Entry, Management};
pub use tlv::{Record, Records};

use alloc::vec::Vec;

use crate::{At, Error};

/// The most records of one log.
pub const MAX_RECORDS: u32 = 1 << 16;

/// The largest log in JSON or CBOR.
const MAX_LOG: usize = 64 << 20;

/// The register that a record was extended into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Register {
    /// A PCR of a TPM.
    Pcr(u32),
    /// An extend index in a TPM's NV memory.
    NvIndex(u32),
    /// A measurement register of a confidential computing log.
    Measurement(u32),
}

/// How a log is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Type, length, value.
    Tlv,
    /// JSON: an array, a sequence, or lines.
    Json,
    /// CBOR: an array or a sequence.
    Cbor,
}

/// A log, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    encoding: Encoding,
    entries: Vec<Entry>,
}

impl Encoding {
    /// Finds the encoding of a canonical log; `None` for logs of firmware and of IMA, whose first bytes are others.
    #[must_use]
    pub fn of(log: &[u8]) -> Option<Self> {
        // The first byte of other logs is that of a register's number, or a digit.
        match (*log.first()?, *log.iter().find(|byte| !byte.is_ascii_whitespace())?) {
            (0x80..=0xBF, _) => Some(Self::Cbor),
            (_, b'{' | b'[' | json::RECORD_SEPARATOR) => Some(Self::Json),
            _ => matches!(Records::new(log).next(), Some(Ok(_))).then_some(Self::Tlv),
        }
    }
}

impl Log {
    /// Reads a log in the encoding that its first bytes show.
    pub fn parse(log: &[u8]) -> Result<Self, Error> {
        let start = At { record: 0, offset: 0 };
        let encoding = Encoding::of(log).ok_or(Error::Malformed { at: start, expected: "a canonical event log" })?;
        if encoding != Encoding::Tlv && log.len() > MAX_LOG {
            return Err(Error::TooLong { at: start, what: "log", length: log.len(), limit: MAX_LOG });
        }
        let entries = match encoding {
            Encoding::Tlv => Records::new(log).map(|record| record?.to_entry()).collect::<Result<_, _>>()?,
            Encoding::Json => json::parse(log)?,
            Encoding::Cbor => cbor::parse(log)?,
        };
        Ok(Self { encoding, entries })
    }

    /// Returns the encoding.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Returns the records in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}
