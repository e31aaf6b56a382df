// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Manifests: the table of all services, and what the vTPM service states about itself (SVSM specification, "Attestation Protocol").
//!
//! A report over a manifest has REPORT_DATA = SHA-512(nonce ‖ manifest).

use crate::error::Error;
use evtpm_layout::{Guid, U32};

/// The GUID at the head of the services manifest.
pub const SERVICES_TABLE: Guid = Guid::new(0x63849ebb_3d92_4670_a1ff_58f9c94b87bb);
/// The vTPM service.
pub const VTPM_SERVICE: Guid = Guid::new(0xc476f1eb_0123_45a5_9641_b4e7dde5bfe3);
/// The UEFI variable store service of COCONUT-SVSM.
pub const UEFI_MM_SERVICE: Guid = Guid::new(0xa4453a59_9e1b_4787_a033_1986d6adbe55);

evtpm_layout::layout! {
    /// The head of the services manifest.
    #[derive(Copy, Debug)]
    pub struct TableHeader, 0x18 {
        /// [`SERVICES_TABLE`].
        0x00 guid: Guid,
        /// The length of the whole manifest.
        0x10 length: U32,
        /// The number of entries.
        0x14 count: U32,
    }
}

evtpm_layout::layout! {
    /// One service in the manifest.
    #[derive(Copy, Debug)]
    pub struct TableEntry, 0x18 {
        /// The service.
        0x00 guid: Guid,
        /// Where its data begins, from the start of the manifest.
        0x10 offset: U32,
        /// The length of its data.
        0x14 length: U32,
    }
}

/// A services manifest whose every entry was checked to lie inside of it.
#[derive(Clone, Copy, Debug)]
pub struct ServicesManifest<'a> {
    bytes: &'a [u8],
    entries: &'a [TableEntry],
}

impl<'a> ServicesManifest<'a> {
    /// Parses exactly the bytes of a manifest: they are what the report covers, so none may follow.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (header, rest) = bytes.split_at_checked(TableHeader::SIZE).ok_or(Error::Length {
            what: WHAT,
            expected: TableHeader::SIZE,
            actual: bytes.len(),
        })?;
        let header = TableHeader::view(header)?;
        if header.guid != SERVICES_TABLE {
            return Err(Error::Value { what: "services manifest: GUID", actual: leading(header.guid) });
        }
        if header.length.get() as usize != bytes.len() {
            return Err(Error::Length { what: WHAT, expected: header.length.get() as usize, actual: bytes.len() });
        }

        let count = header.count.get() as usize;
        let entries = <[TableEntry] as zerocopy::FromBytes>::ref_from_prefix_with_elems(rest, count);
        let (entries, data) = entries.map_err(|_| Error::OutOfBounds {
            what: WHAT,
            offset: TableHeader::SIZE,
            length: count.saturating_mul(TableEntry::SIZE),
            available: bytes.len(),
        })?;
        let data_start = bytes.len().saturating_sub(data.len());
        for entry in entries {
            let (offset, length) = (entry.offset.get() as usize, entry.length.get() as usize);
            let end = offset.checked_add(length);
            if offset < data_start || end.is_none_or(|end| end > bytes.len()) {
                return Err(Error::OutOfBounds { what: WHAT, offset, length, available: bytes.len() });
            }
        }
        Ok(Self { bytes, entries })
    }

    /// Iterates over the services in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (Guid, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.entries.iter().map(move |entry| {
            let start = entry.offset.get() as usize;
            let end = start.saturating_add(entry.length.get() as usize);
            (entry.guid, bytes.get(start..end).unwrap_or_default())
        })
    }

    /// Returns the data of a service; a service that is listed twice is an error, since its readers could disagree.
    pub fn get(&self, service: Guid) -> Result<Option<&'a [u8]>, Error> {
        let mut found = self.iter().filter(|(guid, _)| *guid == service).map(|(_, data)| data);
        let first = found.next();
        if found.next().is_some() {
            return Err(Error::Value { what: "services manifest: service listed twice", actual: leading(service) });
        }
        Ok(first)
    }
}

/// Returns the number of bytes that a manifest of these services takes.
#[must_use]
pub fn services_size(services: &[(Guid, &[u8])]) -> usize {
    let table = services.len().saturating_mul(TableEntry::SIZE).saturating_add(TableHeader::SIZE);
    services.iter().fold(table, |size, (_, data)| size.saturating_add(data.len()))
}

/// Writes the manifest of these services to the start of `out` and returns its size.
pub fn write_services(services: &[(Guid, &[u8])], out: &mut [u8]) -> Result<usize, Error> {
    let needed = services_size(services);
    let mut writer = Writer { what: WHAT, needed, available: out.len(), out };
    let header =
        TableHeader { guid: SERVICES_TABLE, length: writer.number(needed)?, count: writer.number(services.len())? };
    writer.put(header.as_bytes())?;

    let data: usize = services.iter().map(|(_, data)| data.len()).sum();
    let mut offset = needed.saturating_sub(data);
    for (guid, data) in services {
        let entry = TableEntry { guid: *guid, offset: writer.number(offset)?, length: writer.number(data.len())? };
        writer.put(entry.as_bytes())?;
        offset = offset.saturating_add(data.len());
    }
    for (_, data) in services {
        writer.put(data)?;
    }
    Ok(needed)
}

/// The version of the vTPM manifest that is the TPMT_PUBLIC of the RSA-2048 EK, without a size.
pub const VTPM_V0: u32 = 0;
/// The version of the vTPM manifest that is a list of TPM2B_PUBLIC structures.
pub const VTPM_V1: u32 = 1;

/// The fewest keys that a version 1 manifest lists: an EK and an AK.
pub const VTPM_V1_MIN_KEYS: u32 = 2;

/// A vTPM manifest of version 1: version and count big-endian, then TPM2B_PUBLIC structures back to back.
#[derive(Clone, Copy, Debug)]
pub struct VtpmManifestV1<'a> {
    keys: &'a [u8],
}

impl<'a> VtpmManifestV1<'a> {
    /// Parses exactly the bytes of a manifest; the keys are delimited by their sizes and not looked into.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let head_missing = Error::Length { what: WHAT_V1, expected: 8, actual: bytes.len() };
        let (version, rest) = bytes.split_first_chunk::<4>().ok_or(head_missing)?;
        let (count, keys) = rest.split_first_chunk::<4>().ok_or(head_missing)?;
        let (version, count) = (u32::from_be_bytes(*version), u32::from_be_bytes(*count));
        if version != VTPM_V1 {
            return Err(Error::Value { what: "vTPM manifest: version", actual: version.into() });
        }
        if count < VTPM_V1_MIN_KEYS {
            return Err(Error::Value { what: "vTPM manifest: number of keys", actual: count.into() });
        }

        let mut rest = keys;
        for _ in 0..count {
            let (_, after) = split_key(rest).ok_or(Error::OutOfBounds {
                what: WHAT_V1,
                offset: bytes.len().saturating_sub(rest.len()),
                length: rest.first_chunk::<2>().map_or(2, |size| usize::from(u16::from_be_bytes(*size))),
                available: bytes.len(),
            })?;
            rest = after;
        }
        if !rest.is_empty() {
            let expected = bytes.len().saturating_sub(rest.len());
            return Err(Error::Length { what: WHAT_V1, expected, actual: bytes.len() });
        }
        Ok(Self { keys })
    }

    /// Iterates over the keys, each a TPM2B_PUBLIC with its size.
    pub fn keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.keys;
        core::iter::from_fn(move || {
            let (key, after) = split_key(rest)?;
            rest = after;
            Some(key)
        })
    }
}

/// Writes a version 1 manifest of these TPM2B_PUBLIC structures to the start of `out` and returns its size.
pub fn write_vtpm_v1(keys: &[&[u8]], out: &mut [u8]) -> Result<usize, Error> {
    let needed = keys.iter().fold(8_usize, |size, key| size.saturating_add(key.len()));
    let count = u32::try_from(keys.len()).ok().filter(|count| *count >= VTPM_V1_MIN_KEYS);
    let count = count.ok_or(Error::Value { what: "vTPM manifest: number of keys", actual: keys.len() as u64 })?;
    for key in keys {
        if split_key(key).is_none_or(|(_, after)| !after.is_empty()) {
            return Err(Error::Value { what: "vTPM manifest: TPM2B_PUBLIC size", actual: key.len() as u64 });
        }
    }

    let mut writer = Writer { what: WHAT_V1, needed, available: out.len(), out };
    writer.put(&VTPM_V1.to_be_bytes())?;
    writer.put(&count.to_be_bytes())?;
    for key in keys {
        writer.put(key)?;
    }
    Ok(needed)
}

const WHAT: &str = "services manifest";
const WHAT_V1: &str = "vTPM manifest";

fn leading(guid: Guid) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = guid.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Splits a TPM2B with its size off; TPM sizes are big-endian.
fn split_key(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let size = u16::from_be_bytes(*bytes.first_chunk::<2>()?);
    bytes.split_at_checked(usize::from(size).saturating_add(2))
}

struct Writer<'a> {
    what: &'static str,
    needed: usize,
    available: usize,
    out: &'a mut [u8],
}

impl Writer<'_> {
    fn number(&self, value: usize) -> Result<U32, Error> {
        u32::try_from(value).map(U32::new).map_err(|_| Error::Value { what: self.what, actual: value as u64 })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let out = core::mem::take(&mut self.out);
        let (here, after) = out.split_at_mut_checked(bytes.len()).ok_or(Error::BufferTooSmall {
            what: self.what,
            needed: self.needed,
            available: self.available,
        })?;
        here.copy_from_slice(bytes);
        self.out = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn manifest() -> Vec<u8> {
        let mut out = vec![0; 100];
        let size = write_services(&[(VTPM_SERVICE, b"key"), (UEFI_MM_SERVICE, &[1, 0, 0, 0])], &mut out).unwrap();
        out.truncate(size);
        out
    }

    #[test]
    fn what_was_written_is_found_again() {
        let bytes = manifest();
        assert_eq!(bytes.len(), 0x18 * 3 + 7);
        assert_eq!(bytes[..4], [0xbb, 0x9e, 0x84, 0x63]);
        assert_eq!(bytes[0x10..0x18], [79, 0, 0, 0, 2, 0, 0, 0]);
        let parsed = ServicesManifest::parse(&bytes).unwrap();
        assert_eq!(parsed.get(VTPM_SERVICE), Ok(Some(&b"key"[..])));
        assert_eq!(parsed.get(UEFI_MM_SERVICE), Ok(Some(&[1, 0, 0, 0][..])));
        assert_eq!(parsed.get(Guid([0; 16])), Ok(None));
    }

    #[test]
    fn a_trailing_byte_is_a_length_error() {
        let mut bytes = manifest();
        bytes.push(0);
        assert_eq!(
            ServicesManifest::parse(&bytes).unwrap_err(),
            Error::Length { what: "services manifest", expected: 79, actual: 80 }
        );
    }

    #[test]
    fn entries_that_point_outside_are_refused() {
        for (field, value) in [(0x28, 0xffff_ffff_u32), (0x2c, 0xffff_ffff), (0x28, 0x47), (0x2c, 8), (0x14, 4)] {
            let mut bytes = manifest();
            bytes[field..field + 4].copy_from_slice(&value.to_le_bytes());
            assert!(matches!(ServicesManifest::parse(&bytes), Err(Error::OutOfBounds { .. })), "{field:#x}");
        }
    }

    #[test]
    fn a_table_with_the_guid_in_textual_order_is_refused() {
        let mut bytes = manifest();
        bytes[..4].reverse();
        assert!(matches!(ServicesManifest::parse(&bytes), Err(Error::Value { .. })));
    }

    #[test]
    fn a_service_listed_twice_is_an_error() {
        let mut out = [0; 0x48];
        write_services(&[(VTPM_SERVICE, b""), (VTPM_SERVICE, b"")], &mut out).unwrap();
        assert!(ServicesManifest::parse(&out).unwrap().get(VTPM_SERVICE).is_err());
    }

    #[test]
    fn a_short_buffer_is_refused_with_the_size_needed() {
        assert_eq!(
            write_services(&[(VTPM_SERVICE, b"key")], &mut [0; 50]),
            Err(Error::BufferTooSmall { what: "services manifest", needed: 51, available: 50 })
        );
    }

    #[test]
    fn version_1_lists_keys_back_to_back() {
        let mut out = [0; 64];
        let size = write_vtpm_v1(&[&[0, 1, 7], &[0, 2, 8, 9]], &mut out).unwrap();
        assert_eq!(out[..size], [0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 7, 0, 2, 8, 9]);
        let keys: Vec<_> = VtpmManifestV1::parse(&out[..size]).unwrap().keys().collect();
        assert_eq!(keys, [&[0, 1, 7][..], &[0, 2, 8, 9]]);
    }

    #[test]
    fn version_1_refuses_everything_else() {
        let good = [0, 0, 0, 1, 0, 0, 0, 2, 0, 1, 7, 0, 2, 8, 9];
        assert!(VtpmManifestV1::parse(&good[..14]).is_err());
        assert!(VtpmManifestV1::parse(&[&good[..], &[0]].concat()).is_err());
        for (position, value) in [(3, 0), (3, 2), (0, 1), (7, 1), (7, 3), (7, 0), (4, 0xff), (9, 0xff)] {
            let mut bytes = good;
            bytes[position] = value;
            assert!(VtpmManifestV1::parse(&bytes).is_err(), "{position}");
        }
    }

    #[test]
    fn version_1_is_not_written_with_one_key_or_a_broken_one() {
        assert!(write_vtpm_v1(&[&[0, 1, 7]], &mut [0; 64]).is_err());
        assert!(write_vtpm_v1(&[&[0, 1, 7], &[0, 2, 8]], &mut [0; 64]).is_err());
    }

    proptest! {
        #[test]
        fn random_manifests_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), known in any::<bool>()) {
            if known && bytes.len() >= 0x18 {
                let length = bytes.len() as u32;
                bytes[..16].copy_from_slice(&SERVICES_TABLE.0);
                bytes[16..20].copy_from_slice(&length.to_le_bytes());
                bytes[21..24].fill(0);
            }
            if let Ok(manifest) = ServicesManifest::parse(&bytes) {
                prop_assert!(manifest.iter().all(|(_, data)| data.len() <= bytes.len()));
            }
            let _ = VtpmManifestV1::parse(&bytes).map(|manifest| manifest.keys().count());
        }
    }
}
