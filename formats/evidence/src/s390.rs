// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IBM Secure Execution: what `pvattest` exchanges, attestation requests and image headers (s390-tools, "pvattest"; Linux,
//! "uvdevice"). Numbers are big-endian.
//!
//! A measurement is an HMAC whose key only the maker of the request knows: nobody else can verify it.

use crate::Error;
use crate::bytes::{Cursor, field};

/// The version of all three.
const VERSION: u32 = 0x100;
const EXCHANGE_MAGIC: &[u8; 8] = b"pvattest";
const HEADER_MAGIC: &[u8; 8] = b"IBMSecEx";
/// The header of an exchange: magic, version, size, reserved, five entries.
const EXCHANGE_HEADER: usize = 64;

/// A request with its answer, or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange<'a> {
    /// The attestation request control block.
    pub request: &'a [u8],
    /// The measurement; none in a request.
    pub measurement: Option<&'a [u8]>,
    /// Additional data of the machine; none in a request.
    pub additional: Option<&'a [u8]>,
    /// What the guest had put in.
    pub user_data: Option<&'a [u8]>,
    /// The identifier of the guest's configuration; none in a request.
    pub config_uid: Option<&'a [u8]>,
}

/// The sizes that a header states, of a request or of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// The whole.
    pub total: usize,
    /// The key slots, of 80 bytes each.
    pub key_slots: u64,
}

impl<'a> Exchange<'a> {
    /// Parses an exchange that fills all of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        check_magic(cursor.array("exchange")?, EXCHANGE_MAGIC, "exchange")?;
        check_version(*cursor.array("exchange")?)?;
        let size = u32::from_be_bytes(*cursor.array("exchange")?);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size != bytes.len() {
            return Err(Error::Length { what: "exchange", expected: size, actual: bytes.len() });
        }
        let _reserved = cursor.array::<8>("exchange")?;
        let mut entry = || -> Result<Option<&'a [u8]>, Error> {
            let [size, offset] = [*cursor.array("entry")?, *cursor.array("entry")?].map(u32::from_be_bytes);
            self::entry(bytes, size, offset)
        };
        let request = entry()?.ok_or(Error::Missing { what: "attestation request" })?;
        let (measurement, additional, user_data, config_uid) = (entry()?, entry()?, entry()?, entry()?);
        Ok(Self { request, measurement, additional, user_data, config_uid })
    }
}

/// An entry without offset only states the size that is expected of an answer.
fn entry(bytes: &[u8], size: u32, offset: u32) -> Result<Option<&[u8]>, Error> {
    let (size, offset) = (usize::try_from(size).unwrap_or(usize::MAX), usize::try_from(offset).unwrap_or(usize::MAX));
    if offset == 0 {
        return Ok(None);
    }
    if offset < EXCHANGE_HEADER {
        return Err(Error::Unknown { what: "offset of an entry", value: u64::try_from(offset).unwrap_or(u64::MAX) });
    }
    let truncated = Error::Truncated { what: "entry", needed: size, available: bytes.len().saturating_sub(offset) };
    bytes.get(offset..).and_then(|tail| tail.get(..size)).map(Some).ok_or(truncated)
}

/// Reads the header of an attestation request control block.
pub fn request_sizes(bytes: &[u8]) -> Result<Sizes, Error> {
    let mut cursor = Cursor::new(bytes);
    let reserved = cursor.array::<8>("request")?;
    if reserved != &[0; 8] {
        return Err(Error::Unknown { what: "reserved bytes of the request", value: u64::from_be_bytes(*reserved) });
    }
    sizes(bytes, &mut cursor, "request")
}

/// What an image's header says of the image, as far as a measurement is about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageHeader<'a> {
    /// The digest over the pages (PLD).
    pub page_list_digest: &'a [u8; 64],
    /// The digest over the addresses (ALD).
    pub address_list_digest: &'a [u8; 64],
    /// The digest over the tweaks (TLD).
    pub tweak_list_digest: &'a [u8; 64],
    /// The authentication tag of the header.
    pub tag: &'a [u8; 16],
}

impl<'a> ImageHeader<'a> {
    /// Parses the header of an image (s390-tools, "pv_hdr_head"); its end is the tag.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "image header";
        /// What the sizes are read from; then addresses and flags of 24 bytes, and the customer's key of 160.
        const BEFORE_DIGESTS: usize = 40 + 24 + 160;
        let sizes = image_sizes(bytes)?;
        let mut cursor = Cursor::new(bytes);
        cursor.array::<BEFORE_DIGESTS>(WHAT)?;
        let (page_list_digest, address_list_digest) = (cursor.array(WHAT)?, cursor.array(WHAT)?);
        let tweak_list_digest = cursor.array(WHAT)?;
        let slots = usize::try_from(sizes.key_slots).unwrap_or(usize::MAX).saturating_mul(80);
        cursor.take(WHAT, slots)?;
        let truncated = Error::Truncated { what: WHAT, needed: 16, available: cursor.rest().len() };
        let tag = cursor.rest().last_chunk().ok_or(truncated)?;
        Ok(Self { page_list_digest, address_list_digest, tweak_list_digest, tag })
    }
}

/// Reads the beginning of the header of a Secure Execution image.
fn image_sizes(bytes: &[u8]) -> Result<Sizes, Error> {
    let mut cursor = Cursor::new(bytes);
    check_magic(cursor.array("image header")?, HEADER_MAGIC, "image header")?;
    sizes(bytes, &mut cursor, "image header")
}

fn sizes(bytes: &[u8], cursor: &mut Cursor<'_>, what: &'static str) -> Result<Sizes, Error> {
    check_version(*cursor.array(what)?)?;
    let total = u32::from_be_bytes(*cursor.array(what)?);
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    if total != bytes.len() {
        return Err(Error::Length { what, expected: total, actual: bytes.len() });
    }
    let _iv = cursor.array::<16>(what)?;
    let key_slots = u64::from_be_bytes(*cursor.array(what)?);
    Ok(Sizes { total, key_slots })
}

fn check_magic(actual: &[u8; 8], expected: &[u8; 8], what: &'static str) -> Result<(), Error> {
    if actual == expected { Ok(()) } else { Err(Error::Unknown { what, value: u64::from_be_bytes(*actual) }) }
}

fn check_version(bytes: [u8; 4]) -> Result<(), Error> {
    let version = u32::from_be_bytes(field(&bytes, 0));
    if version == VERSION { Ok(()) } else { Err(Error::Unknown { what: "version", value: u64::from(version) }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn exchange(entries: [[u32; 2]; 5], data: &[u8]) -> Vec<u8> {
        let size = u32::try_from(EXCHANGE_HEADER + data.len()).unwrap();
        let mut bytes = [EXCHANGE_MAGIC.as_slice(), &VERSION.to_be_bytes(), &size.to_be_bytes(), &[0; 8]].concat();
        entries.iter().flatten().for_each(|number| bytes.extend(number.to_be_bytes()));
        [bytes, data.to_vec()].concat()
    }

    #[test]
    fn a_request_has_no_measurement() {
        let bytes = exchange([[4, 64], [64, 0], [0, 0], [0, 0], [0, 0]], &[7; 4]);
        let parsed = Exchange::parse(&bytes).unwrap();
        assert_eq!((parsed.request, parsed.measurement), ([7; 4].as_slice(), None));
    }

    #[test]
    fn no_entry_reaches_past_the_end_or_into_the_header() {
        for entry in [[5, 64], [1, 68], [u32::MAX, 64], [4, u32::MAX], [4, 8]] {
            let bytes = exchange([entry, [0, 0], [0, 0], [0, 0], [0, 0]], &[7; 4]);
            assert!(Exchange::parse(&bytes).is_err(), "{entry:?}");
        }
    }
}
