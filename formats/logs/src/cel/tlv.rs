// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TLV encoding (TCG *Canonical Event Log Format* 1.0, "TLV Encoding").
//!
//! Every value is a type of one byte, a length of four bytes in big-endian, and so many bytes. A record is its number,
//! the register, the digests and a content, in this order; what is hashed is the content with its type and length.

use crate::cel::{Content, Entry, MAX_RECORDS, Management, Register, content};
use crate::tcg::{EventType, MAX_EVENT_DATA};
use crate::{At, Digest, Error, HashId, Hashes};

const RECORD_NUMBER: u8 = 0;
const PCR: u8 = 1;
const NV_INDEX: u8 = 2;
const DIGESTS: u8 = 3;
/// The measurement register of a confidential computing log, which go-eventlog writes instead of a PCR.
const CC_MEASUREMENT_REGISTER: u8 = 108;

/// One record.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Where the record is.
    pub at: At,
    /// The record's number, as the log states it.
    pub number: u64,
    /// The register.
    pub register: Register,
    /// The type of the content.
    pub content_type: u8,
    /// The content.
    pub content: &'a [u8],
    encoded_content: &'a [u8],
    digests: &'a [u8],
}

/// The records of a log; after an error there are no more.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
    at: At,
    failed: bool,
}

/// One value, with all of its bytes.
struct Tlv<'a> {
    kind: u8,
    value: &'a [u8],
    encoded: &'a [u8],
}

impl<'a> Records<'a> {
    /// Reads a log.
    ///
    /// ```
    /// use evtpm_logs::cel::{Records, Register};
    ///
    /// let mut log = vec![0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 7];
    /// log.extend([1, 0, 0, 0, 1, 10]);
    /// log.extend([3, 0, 0, 0, 25, 4, 0, 0, 0, 20]);
    /// log.extend([0xAA; 20]);
    /// log.extend([80, 0, 0, 0, 2, b'h', b'i']);
    /// let record = Records::new(&log).next().unwrap()?;
    /// assert_eq!((record.number, record.register, record.content), (7, Register::Pcr(10), b"hi".as_slice()));
    /// # Ok::<(), evtpm_logs::Error>(())
    /// ```
    #[must_use]
    pub const fn new(log: &'a [u8]) -> Self {
        Self { rest: log, at: At { record: 0, offset: 0 }, failed: false }
    }

    fn value(&mut self, what: &'static str) -> Result<Tlv<'a>, Error> {
        let truncated = |needed| Error::Truncated { at: self.at, what, needed, available: self.rest.len() };
        let Some(([kind, length @ ..], _)) = self.rest.split_first_chunk::<5>() else { return Err(truncated(5)) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_EVENT_DATA {
            return Err(Error::TooLong { at: self.at, what, length, limit: MAX_EVENT_DATA });
        }
        let whole = length.saturating_add(5);
        let Some((encoded, rest)) = self.rest.split_at_checked(whole) else { return Err(truncated(whole)) };
        self.rest = rest;
        self.at.offset = self.at.offset.saturating_add(encoded.len());
        Ok(Tlv { kind: *kind, value: encoded.get(5..).unwrap_or_default(), encoded })
    }

    fn record(&mut self) -> Result<Record<'a>, Error> {
        let at = self.at;
        let malformed = |at, expected| Error::Malformed { at, expected };
        if at.record >= MAX_RECORDS {
            return Err(Error::TooManyRecords { at, limit: MAX_RECORDS });
        }
        let number = self.value("record number")?;
        let number =
            number.number().filter(|_| number.kind == RECORD_NUMBER).ok_or_else(|| malformed(at, "a record number"))?;
        let register = self.value("register")?;
        let index = register.number().and_then(|index| u32::try_from(index).ok());
        let register = match (register.kind, index) {
            (PCR, Some(index)) => Register::Pcr(index),
            (NV_INDEX, Some(index)) => Register::NvIndex(index),
            (CC_MEASUREMENT_REGISTER, Some(index)) => Register::Measurement(index),
            _ => return Err(malformed(at, "a register")),
        };
        let digests = self.value("digests")?;
        if digests.kind != DIGESTS {
            return Err(malformed(at, "digests"));
        }
        let content = self.value("content")?;
        let record = Record {
            at,
            number,
            register,
            content_type: content.kind,
            content: content.value,
            encoded_content: content.encoded,
            digests: digests.value,
        };
        record.check_digests()?;
        Ok(record)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let record = self.record();
        self.failed = record.is_err();
        self.at.record = self.at.record.saturating_add(1);
        Some(record)
    }
}

impl Tlv<'_> {
    /// Reads a big-endian number of one to eight bytes.
    fn number(&self) -> Option<u64> {
        if self.value.is_empty() || self.value.len() > 8 {
            return None;
        }
        Some(self.value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

impl<'a> Record<'a> {
    /// Returns the digests with their banks: the type of each is the low byte of its `TPM_ALG_ID`.
    pub fn digests(&self) -> impl Iterator<Item = (HashId, &'a [u8])> + use<'a> {
        let mut values = Records::new(self.digests);
        core::iter::from_fn(move || {
            if values.rest.is_empty() {
                return None;
            }
            let digest = values.value("digest").ok()?;
            Some((HashId(u16::from(digest.kind)), digest.value))
        })
    }

    /// Tells whether every digest is the hash of the content with its type and length; `false` if there is none.
    pub fn is_proven<H: Hashes>(&self, hashes: &H) -> bool {
        let mut digests = self.digests().peekable();
        let hashes_to = |(bank, digest): (HashId, &[u8])| {
            hashes.hash(bank, &[self.encoded_content]).is_some_and(|hash| hash.as_bytes() == digest)
        };
        digests.peek().is_some() && digests.all(hashes_to)
    }

    /// Decodes the content and copies the record.
    pub(super) fn to_entry(self) -> Result<Entry, Error> {
        let Record { at, number, register, content_type, content, encoded_content, .. } = self;
        let malformed = |expected| Error::Malformed { at, expected };
        let parts = || pair(content, at);
        // "The digest is calculated over the entire content TLV", unless the content is another format's own record.
        let (content, hashed) = match content_type {
            content::MANAGEMENT => (Content::Management(management(content, at)?), encoded_content),
            content::PC_CLIENT => {
                let (kind, data) = parts()?;
                let kind = number_of(kind).and_then(|kind| u32::try_from(kind).ok());
                let kind = EventType(kind.ok_or_else(|| malformed("an event type of 32 bits"))?);
                (Content::PcClient { kind, data: data.to_vec() }, data)
            }
            content::IMA_TEMPLATE => {
                let (name, data) = parts()?;
                (Content::ImaTemplate { name: name.to_vec(), data: data.to_vec() }, data)
            }
            content::IMA_TLV => (Content::ImaTlv(content.to_vec()), encoded_content),
            number => (Content::Other { number: number.into(), data: content.to_vec() }, encoded_content),
        };
        let digests = self.digests().map(|(bank, digest)| Some((bank, Digest::new(digest)?)));
        let digests = digests.collect::<Option<_>>().ok_or_else(|| malformed("digests of at most 64 bytes"))?;
        Ok(Entry { at, number: Some(number), register, digests, content, hashed: Some(hashed.to_vec()) })
    }

    /// Refuses digests that are cut off, not as long as their algorithm's, or twice of one algorithm.
    fn check_digests(&self) -> Result<(), Error> {
        let mut values = Records { rest: self.digests, at: self.at, failed: false };
        let mut seen: [bool; 256] = [false; 256];
        while !values.rest.is_empty() {
            let digest = values.value("digest")?;
            let algorithm = HashId(u16::from(digest.kind));
            if algorithm.digest_size().is_some_and(|size| size != digest.value.len()) {
                return Err(Error::Malformed { at: self.at, expected: "a digest as long as its algorithm's" });
            }
            if let Some(seen) = seen.get_mut(usize::from(digest.kind)) {
                if *seen {
                    return Err(Error::DuplicateAlgorithm { at: self.at, algorithm });
                }
                *seen = true;
            }
        }
        Ok(())
    }
}

/// Splits a content of two values, of the types 0 and 1.
fn pair(content: &[u8], at: At) -> Result<(&[u8], &[u8]), Error> {
    let mut values = Records { rest: content, at, failed: false };
    let (first, second) = (values.value("content")?, values.value("content")?);
    if (first.kind, second.kind) != (0, 1) || !values.rest.is_empty() {
        return Err(Error::Malformed { at, expected: "a content of two values" });
    }
    Ok((first.value, second.value))
}

fn management(content: &[u8], at: At) -> Result<Management, Error> {
    let mut values = Records { rest: content, at, failed: false };
    let Tlv { kind, value, .. } = values.value("management content")?;
    let number = || number_of(value).ok_or(Error::Malformed { at, expected: "a number" });
    Ok(match kind {
        content::CEL_VERSION => {
            let (major, minor) = pair(value, at)?;
            let number = |value| number_of(value).ok_or(Error::Malformed { at, expected: "a version" });
            Management::Version { major: number(major)?, minor: number(minor)? }
        }
        content::FIRMWARE_END => Management::FirmwareEnd,
        content::CEL_TIMESTAMP => Management::Timestamp(number()?),
        content::STATE_TRANSITION => Management::StateTransition(number()?),
        other => Management::Other(other.into()),
    })
}

fn number_of(value: &[u8]) -> Option<u64> {
    Tlv { kind: 0, value, encoded: value }.number()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{RealHashes, evidence};
    use alloc::vec::Vec;

    fn record(register: &[u8], digests: &[u8], content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(digests.len()).unwrap().to_be_bytes();
        [[0, 0, 0, 0, 1, 3].as_slice(), register, &[3], &length, digests, content].concat()
    }

    #[test]
    fn a_record_that_ends_early_is_truncated_wherever_it_ends() {
        let log = record(&[1, 0, 0, 0, 1, 4], &[[4, 0, 0, 0, 20].as_slice(), &[1; 20]].concat(), &[80, 0, 0, 0, 1, 9]);
        assert!(Records::new(&log).all(|record| record.is_ok()));
        for length in 1..log.len() {
            assert!(Records::new(&log[..length]).any(|record| record.is_err()), "{length}");
        }
    }

    #[test]
    fn two_digests_of_one_algorithm_are_refused() {
        let digest = [[4, 0, 0, 0, 20].as_slice(), &[1; 20]].concat();
        let log = record(&[1, 0, 0, 0, 1, 4], &digest.repeat(2), &[80, 0, 0, 0, 0]);
        assert!(matches!(Records::new(&log).next(), Some(Err(Error::DuplicateAlgorithm { .. }))));
    }

    #[test]
    fn a_length_that_no_log_has_is_refused_before_it_is_looked_for() {
        assert!(matches!(Records::new(&[0, 0xFF, 0xFF, 0xFF, 0xFF]).next(), Some(Err(Error::TooLong { .. }))));
    }

    #[test]
    fn the_recorded_log_proves_all_of_its_contents() {
        let Some(folder) = evidence() else { return };
        let text = std::fs::read(folder.join("ccel/cel-canonical/cel.base64.txt")).unwrap();
        let log = base64(&text);
        let records: Vec<_> = Records::new(&log).map(Result::unwrap).collect();
        assert!(records.len() > 5 && records.iter().all(|record| record.is_proven(&RealHashes)));
    }

    fn base64(text: &[u8]) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digits = text.iter().filter_map(|byte| DIGITS.iter().position(|digit| digit == byte));
        let bits: Vec<bool> = digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1 == 1)).collect();
        bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |all, bit| all << 1 | u8::from(*bit))).collect()
    }
}
