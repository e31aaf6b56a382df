// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The certificate table of an extended guest request (GHCB, "SNP Extended Guest Request").
//!
//! Entries of GUID, offset and length, an all-zero entry, then the certificates. GUIDs are in textual byte order. The
//! table comes from the host and is not authenticated: what it holds is a hint, to be verified.

use crate::error::Error;
use evtpm_layout::{TextualGuid, U32};

/// The chip's VCEK certificate.
pub const VCEK: TextualGuid = TextualGuid::new(0x63da758d_e664_4564_adc5_f4b93be8accd);
/// The provider's VLEK certificate.
pub const VLEK: TextualGuid = TextualGuid::new(0xa8074bc2_a25a_483e_aae6_39c045a0b8a1);
/// The ASK or ASVK certificate.
pub const ASK: TextualGuid = TextualGuid::new(0x4ab7b379_bbac_4fe4_a02f_05aef327c782);
/// The ARK certificate.
pub const ARK: TextualGuid = TextualGuid::new(0xc0b406a4_a803_4952_9743_3fb6014cd0ae);
/// The revocation list.
pub const CRL: TextualGuid = TextualGuid::new(0x92f81bc3_5811_4d3d_97ff_d19f88dc67ea);
/// Extra platform information of one provider.
pub const EXTRA_PLATFORM_INFO: TextualGuid = TextualGuid::new(0xecae0c0f_9502_43b1_afa2_0ae2e0d565b6);

evtpm_layout::layout! {
    /// One line of the table.
    #[derive(Copy, Debug)]
    pub struct Entry, 0x18 {
        /// What the data is.
        0x00 guid: TextualGuid,
        /// Where the data begins, from the start of the table.
        0x10 offset: U32,
        /// The length of the data.
        0x14 length: U32,
    }
}

impl Entry {
    /// Says whether this is the all-zero entry that closes the table.
    #[must_use]
    pub fn is_terminator(&self) -> bool {
        self.as_bytes() == &[0; Self::SIZE]
    }
}

/// A table whose every entry was checked to lie inside the bytes received.
#[derive(Clone, Copy, Debug)]
pub struct CertTable<'a> {
    bytes: &'a [u8],
    entries: &'a [Entry],
}

impl<'a> CertTable<'a> {
    /// Parses a table; no bytes at all, or a first entry of zeros, is a table without certificates.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "certificate table";
        if bytes.is_empty() {
            return Ok(Self { bytes, entries: &[] });
        }

        let (all, _) = slices(bytes);
        let count = all.iter().position(Entry::is_terminator).ok_or(Error::Unterminated { what: WHAT })?;
        let entries = all.get(..count).unwrap_or_default();
        let data_start = count.saturating_add(1).saturating_mul(Entry::SIZE);
        for entry in entries {
            let (offset, length) = (entry.offset.get() as usize, entry.length.get() as usize);
            let end = offset.checked_add(length);
            if offset < data_start || end.is_none_or(|end| end > bytes.len()) {
                return Err(Error::OutOfBounds { what: WHAT, offset, length, available: bytes.len() });
            }
        }
        Ok(Self { bytes, entries })
    }

    /// Iterates over the certificates in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (TextualGuid, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        self.entries.iter().map(move |entry| (entry.guid, data(bytes, entry)))
    }

    /// Returns the first certificate of this kind.
    #[must_use]
    pub fn get(&self, guid: TextualGuid) -> Option<&'a [u8]> {
        self.iter().find(|(found, _)| *found == guid).map(|(_, data)| data)
    }

    /// Returns the number of bytes from the table's start to the end of its last certificate; zero where there is none.
    #[must_use]
    pub fn extent(&self) -> usize {
        let end = |entry: &Entry| (entry.offset.get() as usize).saturating_add(entry.length.get() as usize);
        self.entries.iter().map(end).max().unwrap_or(0)
    }

    /// Returns the number of certificates.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Says whether there is no certificate.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Returns the number of bytes that a table of these certificates takes.
#[must_use]
pub fn table_size(certificates: &[(TextualGuid, &[u8])]) -> usize {
    let table = certificates.len().saturating_add(1).saturating_mul(Entry::SIZE);
    certificates.iter().fold(table, |size, (_, data)| size.saturating_add(data.len()))
}

/// Writes a table of these certificates to the start of `out` and returns its size; the rest of `out` stays as it was.
pub fn write_table(certificates: &[(TextualGuid, &[u8])], out: &mut [u8]) -> Result<usize, Error> {
    const WHAT: &str = "certificate table";
    let needed = table_size(certificates);
    let available = out.len();
    let out = out.get_mut(..needed).ok_or(Error::BufferTooSmall { what: WHAT, needed, available })?;

    let table_length = needed.saturating_sub(certificates.iter().map(|(_, data)| data.len()).sum());
    let (table, mut room) =
        out.split_at_mut_checked(table_length).ok_or(Error::BufferTooSmall { what: WHAT, needed, available })?;
    table.fill(0);
    let mut offset = table_length;
    for (line, (guid, data)) in table.chunks_exact_mut(Entry::SIZE).zip(certificates) {
        let entry = Entry { guid: *guid, offset: number(offset)?, length: number(data.len())? };
        line.copy_from_slice(entry.as_bytes());
        let (here, after) =
            room.split_at_mut_checked(data.len()).ok_or(Error::BufferTooSmall { what: WHAT, needed, available })?;
        here.copy_from_slice(data);
        room = after;
        offset = offset.saturating_add(data.len());
    }
    Ok(needed)
}

fn number(value: usize) -> Result<U32, Error> {
    u32::try_from(value).map(U32::new).map_err(|_| Error::Value { what: "certificate table", actual: value as u64 })
}

fn slices(bytes: &[u8]) -> (&[Entry], &[u8]) {
    let count = bytes.len() / Entry::SIZE;
    match <[Entry] as zerocopy::FromBytes>::ref_from_prefix_with_elems(bytes, count) {
        Ok(found) => found,
        Err(_) => (&[], bytes),
    }
}

fn data<'a>(bytes: &'a [u8], entry: &Entry) -> &'a [u8] {
    let start = entry.offset.get() as usize;
    let end = start.saturating_add(entry.length.get() as usize);
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn table() -> Vec<u8> {
        let mut out = vec![0; 200];
        let size = write_table(&[(ARK, b"root"), (VCEK, b"chip key")], &mut out).unwrap();
        out.truncate(size);
        out
    }

    #[test]
    fn what_was_written_is_found_again() {
        let bytes = table();
        assert_eq!(bytes.len(), 3 * 0x18 + 12);
        assert_eq!(bytes[..4], [0xc0, 0xb4, 0x06, 0xa4]);
        let parsed = CertTable::parse(&bytes).unwrap();
        assert_eq!(parsed.iter().collect::<Vec<_>>(), [(ARK, &b"root"[..]), (VCEK, b"chip key")]);
        assert_eq!(parsed.get(VCEK), Some(&b"chip key"[..]));
        assert_eq!(parsed.get(VLEK), None);
    }

    #[test]
    fn zeros_are_an_empty_table() {
        assert!(CertTable::parse(&[]).unwrap().is_empty());
        assert!(CertTable::parse(&[0; 0x4000]).unwrap().is_empty());
    }

    #[test]
    fn a_table_without_its_last_entry_is_refused() {
        assert_eq!(CertTable::parse(&table()[..0x18]).unwrap_err(), Error::Unterminated { what: "certificate table" });
        assert!(CertTable::parse(&[0; 0x17]).is_err());
    }

    #[test]
    fn an_entry_that_points_outside_is_refused() {
        for (field, value) in [(0x10, 0xffff_ffff_u32), (0x14, 0xffff_ffff), (0x10, 0x47), (0x14, 200)] {
            let mut bytes = table();
            bytes[field..field + 4].copy_from_slice(&value.to_le_bytes());
            assert!(matches!(CertTable::parse(&bytes), Err(Error::OutOfBounds { .. })), "{field:#x} {value:#x}");
        }
    }

    #[test]
    fn a_short_buffer_is_refused_with_the_size_needed() {
        let certificates: [(TextualGuid, &[u8]); 1] = [(ASK, b"intermediate")];
        assert_eq!(
            write_table(&certificates, &mut [0; 59]),
            Err(Error::BufferTooSmall { what: "certificate table", needed: 60, available: 59 })
        );
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(table) = CertTable::parse(&bytes) {
                prop_assert_eq!(table.iter().count(), table.len());
            }
        }
    }

    #[test]
    fn the_extent_ends_with_the_last_certificate_even_if_that_ends_in_zeros() {
        let mut bytes = [0; 200];
        let size = write_table(&[(VCEK, &[1, 0, 0]), (ARK, &[2, 0])], &mut bytes).unwrap();
        assert_eq!(CertTable::parse(&bytes).unwrap().extent(), size);
        assert_eq!(CertTable::parse(&[0; 48]).unwrap().extent(), 0);
    }
}
