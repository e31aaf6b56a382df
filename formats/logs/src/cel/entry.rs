// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A record of the information model: its register, its digests, and what it says they are the digests of.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::tcg::EventType;
use crate::{At, Digest, Error, HashId, Hashes, Text};

use super::Register;

/// Numbers of contents (CEL, "Content") and of management events (CEL, "CEL Management").
pub(super) mod content {
    pub(crate) const MANAGEMENT: u8 = 4;
    pub(crate) const PC_CLIENT: u8 = 5;
    pub(crate) const IMA_TEMPLATE: u8 = 7;
    pub(crate) const IMA_TLV: u8 = 8;

    pub(crate) const CEL_VERSION: u8 = 1;
    pub(crate) const FIRMWARE_END: u8 = 2;
    pub(crate) const CEL_TIMESTAMP: u8 = 80;
    pub(crate) const STATE_TRANSITION: u8 = 81;
}

/// The most digests of one record.
const MAX_DIGESTS: usize = 16;

/// One record; its content is a claim until [`Entry::is_proven`] and a quote say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the record is.
    pub at: At,
    /// The record's number, as the log states it; systemd states none.
    pub number: Option<u64>,
    /// The register.
    pub register: Register,
    pub(super) digests: Vec<(HashId, Digest)>,
    /// The content.
    pub content: Content,
    /// What the digests should be the hashes of, where the encoding keeps it.
    pub(super) hashed: Option<Vec<u8>>,
}

/// What a record says was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// An event of the log itself.
    Management(Management),
    /// An event of firmware (`pcclient_std`).
    PcClient {
        /// The event's type.
        kind: EventType,
        /// The event's data.
        data: Vec<u8>,
    },
    /// An entry of IMA's list (`ima_template`).
    ImaTemplate {
        /// The template's name.
        name: Vec<u8>,
        /// The template data, with the lengths of the fields.
        data: Vec<u8>,
    },
    /// An entry of IMA as type, length and value (`ima_tlv`).
    ImaTlv(Vec<u8>),
    /// An event of systemd's userspace log.
    Systemd {
        /// What systemd calls the event: `phase`, `machine-id`.
        event: Option<String>,
        /// The words that were measured, unless they are secret.
        text: Option<String>,
    },
    /// Another content.
    Other {
        /// Its number.
        number: u64,
        /// Its bytes, as they are encoded.
        data: Vec<u8>,
    },
}

/// An event of the log itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Management {
    /// The version of the format.
    Version {
        /// The major version.
        major: u64,
        /// The minor version.
        minor: u64,
    },
    /// The last event of firmware.
    FirmwareEnd,
    /// The time.
    Timestamp(u64),
    /// A suspension (0), hibernation (1) or new kernel (2).
    StateTransition(u64),
    /// Another event, by its number.
    Other(u64),
}

impl Entry {
    /// Returns the digests with their banks.
    pub fn digests(&self) -> impl Iterator<Item = (HashId, &Digest)> {
        self.digests.iter().map(|(bank, digest)| (*bank, digest))
    }

    /// Returns the bytes whose hashes the digests have to be, where the encoding keeps them.
    #[must_use]
    pub fn hashed(&self) -> Option<&[u8]> {
        self.hashed.as_deref()
    }

    /// Tells whether every digest is the hash of the content; `false` if there is no digest.
    ///
    /// What firmware measures is often not its event's data, and what systemd measures with a secret is not its text.
    #[must_use]
    pub fn is_proven<H: Hashes>(&self, hashes: &H) -> bool {
        let Some(hashed) = self.hashed() else { return false };
        let is_hash = |(bank, digest): &(HashId, Digest)| hashes.hash(*bank, &[hashed]).as_ref() == Some(digest);
        !self.digests.is_empty() && self.digests.iter().all(is_hash)
    }

    /// Tells whether the record is a violation of IMA: its digests are zeros, and the register was extended by ones.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        let is_zero = |(_, digest): &(HashId, Digest)| digest.as_bytes().iter().all(|byte| *byte == 0);
        let is_ima = matches!(self.content, Content::ImaTemplate { .. } | Content::ImaTlv(_));
        is_ima && !self.digests.is_empty() && self.digests.iter().all(is_zero)
    }

    /// Checks digests on their way into a record: as long as their algorithm's, and one of each.
    pub(super) fn checked(digests: Vec<(HashId, Digest)>, at: At) -> Result<Vec<(HashId, Digest)>, Error> {
        if digests.len() > MAX_DIGESTS {
            return Err(Error::TooLong { at, what: "digests", length: digests.len(), limit: MAX_DIGESTS });
        }
        for (position, (algorithm, digest)) in digests.iter().enumerate() {
            if algorithm.digest_size().is_some_and(|size| size != digest.as_bytes().len()) {
                return Err(Error::Malformed { at, expected: "a digest as long as its algorithm's" });
            }
            if digests.iter().take(position).any(|(other, _)| other == algorithm) {
                return Err(Error::DuplicateAlgorithm { at, algorithm: *algorithm });
            }
        }
        Ok(digests)
    }
}

/// Encodes the content of `ima_tlv` as TLV does, since its digests are of that whatever the log's encoding.
pub(super) fn ima_tlv(content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok()?;
    Some([[content::IMA_TLV].as_slice(), &length.to_be_bytes(), content].concat())
}

impl Content {
    /// Names the content as JSON does.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Management(_) => "cel",
            Self::PcClient { .. } => "pcclient_std",
            Self::ImaTemplate { .. } => "ima_template",
            Self::ImaTlv(_) => "ima_tlv",
            Self::Systemd { .. } => "systemd",
            Self::Other { .. } => "other",
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Management(management) => management.fmt(f),
            Self::PcClient { kind, .. } => kind.fmt(f),
            Self::ImaTemplate { name, .. } => Text(name).fmt(f),
            Self::ImaTlv(data) => write!(f, "{} bytes", data.len()),
            Self::Systemd { event, text } => {
                let text = text.as_deref().unwrap_or_default();
                write!(f, "{}: \"{}\"", Text(event.as_deref().unwrap_or("event").as_bytes()), Text(text.as_bytes()))
            }
            Self::Other { number, data } => write!(f, "content {number}, {} bytes", data.len()),
        }
    }
}

impl fmt::Display for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { major, minor } => write!(f, "CEL version {major}.{minor}"),
            Self::FirmwareEnd => f.write_str("end of the firmware's events"),
            Self::Timestamp(time) => write!(f, "time {time}"),
            Self::StateTransition(0) => f.write_str("suspended"),
            Self::StateTransition(1) => f.write_str("hibernated"),
            Self::StateTransition(2) => f.write_str("another kernel was started"),
            Self::StateTransition(other) => write!(f, "state transition {other}"),
            Self::Other(kind) => write!(f, "management event {kind}"),
        }
    }
}
