// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The core protocol (SVSM specification, "Core Protocol"): call numbers, protocol queries, PVALIDATE lists.

use crate::error::Error;
use crate::{PAGE_SIZE, Protocol};
use evtpm_layout::{U16, U32, U64};

/// SVSM_CORE_REMAP_CA: moves the calling area.
pub const CALL_REMAP_CA: u32 = 0;
/// SVSM_CORE_PVALIDATE: validates a list of pages.
pub const CALL_PVALIDATE: u32 = 1;
/// SVSM_CORE_CREATE_VCPU: adds a virtual processor.
pub const CALL_CREATE_VCPU: u32 = 2;
/// SVSM_CORE_DELETE_VCPU: removes a virtual processor.
pub const CALL_DELETE_VCPU: u32 = 3;
/// SVSM_CORE_DEPOSIT_MEM: gives memory to the SVSM.
pub const CALL_DEPOSIT_MEM: u32 = 4;
/// SVSM_CORE_WITHDRAW_MEM: takes memory back.
pub const CALL_WITHDRAW_MEM: u32 = 5;
/// SVSM_CORE_QUERY_PROTOCOL: asks which versions of a protocol there are.
pub const CALL_QUERY_PROTOCOL: u32 = 6;
/// SVSM_CORE_CONFIGURE_VTOM: configures virtual top of memory.
pub const CALL_CONFIGURE_VTOM: u32 = 7;

/// The only version of the core, attestation and vTPM protocols.
pub const VERSION: u32 = 1;

/// The argument of a protocol query: RCX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolQuery {
    /// The protocol asked for.
    pub protocol: Protocol,
    /// The version asked for.
    pub version: u32,
}

impl ProtocolQuery {
    /// Takes RCX apart.
    #[must_use]
    pub const fn from_rcx(rcx: u64) -> Self {
        let call = crate::Call::from_rax(rcx);
        Self { protocol: call.protocol, version: call.number }
    }

    /// Returns RCX.
    #[must_use]
    pub const fn to_rcx(self) -> u64 {
        (self.protocol.0 as u64) << 32 | self.version as u64
    }

    /// Returns the RCX of the answer if versions `min` to `max` exist: these if the one asked for is among them, else 0.
    #[must_use]
    pub const fn answer(self, min: u32, max: u32) -> u64 {
        if self.version >= min && self.version <= max { (max as u64) << 32 | min as u64 } else { 0 }
    }
}

evtpm_layout::layout! {
    /// The head of a PVALIDATE list.
    #[derive(Copy, Debug)]
    pub struct PvalidateHeader, 0x8 {
        /// The number of entries.
        0x0 entries: U16,
        /// The next entry to process, updated by the SVSM.
        0x2 next: U16,
        /// Reserved, must be zero.
        0x4 reserved: U32,
    }
}

/// The size of a page to validate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageSize {
    /// 4 KiB.
    Regular,
    /// 2 MiB.
    Huge,
}

/// One entry of a PVALIDATE list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PvalidateEntry {
    /// The guest physical address, aligned to the size.
    pub gpa: u64,
    /// The size of the page.
    pub size: PageSize,
    /// Validate if true, rescind validation if false.
    pub validate: bool,
    /// A PVALIDATE that changes nothing is no error.
    pub ignore_no_change: bool,
}

impl PvalidateEntry {
    /// Takes an entry apart: size in bits 1:0, action in bit 2, ignore in bit 3, page number in bits 63:12.
    pub fn from_u64(entry: u64) -> Result<Self, Error> {
        let error = Error::Value { what: "PVALIDATE entry", actual: entry };
        let gpa = entry & !0xfff;
        let (size, mask) = match entry & 3 {
            0 => (PageSize::Regular, 0xfff),
            1 => (PageSize::Huge, 0x1f_ffff),
            _ => return Err(error),
        };
        if entry & 0xff0 != 0 || gpa & mask != 0 {
            return Err(error);
        }
        Ok(Self { gpa, size, validate: entry & 4 != 0, ignore_no_change: entry & 8 != 0 })
    }

    /// Returns the entry as it stands in a list.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        let size = u64::from(self.size == PageSize::Huge);
        self.gpa | u64::from(self.ignore_no_change) << 3 | u64::from(self.validate) << 2 | size
    }
}

/// A PVALIDATE list; it lies within one page.
#[derive(Clone, Copy, Debug)]
pub struct PvalidateList<'a> {
    entries: &'a [U64],
    next: usize,
}

impl<'a> PvalidateList<'a> {
    /// The most entries that a list in the calling area's buffer can have.
    pub const MAX_IN_CALLING_AREA: usize = 510;

    /// Parses a list from the bytes between its address and the end of that page.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "PVALIDATE request";
        let bytes = bytes.get(..PAGE_SIZE.min(bytes.len())).unwrap_or_default();
        let (header, rest) = bytes.split_at_checked(PvalidateHeader::SIZE).ok_or(Error::Length {
            what: WHAT,
            expected: PvalidateHeader::SIZE,
            actual: bytes.len(),
        })?;
        let header = PvalidateHeader::view(header)?;
        if header.reserved.get() != 0 {
            return Err(Error::Reserved { what: WHAT, offset: 4 });
        }

        let (count, next) = (usize::from(header.entries.get()), usize::from(header.next.get()));
        let entries = <[U64] as zerocopy::FromBytes>::ref_from_prefix_with_elems(rest, count);
        let (entries, _) = entries.map_err(|_| Error::OutOfBounds {
            what: WHAT,
            offset: PvalidateHeader::SIZE,
            length: count.saturating_mul(8),
            available: bytes.len(),
        })?;
        if next >= count {
            return Err(Error::Value { what: "PVALIDATE request: next", actual: next as u64 });
        }
        Ok(Self { entries, next })
    }

    /// Returns the index of the first entry that is still to be processed.
    #[must_use]
    pub fn next(&self) -> usize {
        self.next
    }

    /// Iterates over the entries that are still to be processed.
    pub fn pending(&self) -> impl Iterator<Item = Result<PvalidateEntry, Error>> + use<'a> {
        self.entries.iter().skip(self.next).map(|entry| PvalidateEntry::from_u64(entry.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn a_query_is_answered_with_the_range_or_zero() {
        let query = ProtocolQuery::from_rcx(0x2_0000_0001);
        assert_eq!(query, ProtocolQuery { protocol: Protocol::VTPM, version: 1 });
        assert_eq!(query.answer(1, 1), 0x1_0000_0001);
        assert_eq!(query.answer(2, 3), 0);
        assert_eq!(query.to_rcx(), 0x2_0000_0001);
    }

    #[test]
    fn pending_entries_start_at_next() {
        let mut bytes = [0; 8 + 3 * 8];
        bytes[..4].copy_from_slice(&[3, 0, 1, 0]);
        bytes[16..24].copy_from_slice(&0x20_0005_u64.to_le_bytes());
        bytes[24..32].copy_from_slice(&0x3008_u64.to_le_bytes());
        let list = PvalidateList::parse(&bytes).unwrap();
        let pending: Vec<_> = list.pending().map(Result::unwrap).collect();
        assert_eq!(
            pending,
            [
                PvalidateEntry { gpa: 0x20_0000, size: PageSize::Huge, validate: true, ignore_no_change: false },
                PvalidateEntry { gpa: 0x3000, size: PageSize::Regular, validate: false, ignore_no_change: true },
            ]
        );
        assert_eq!(pending[0].to_u64(), 0x20_0005);
    }

    #[test]
    fn malformed_entries_are_refused() {
        for entry in [0x2, 0x3, 0x10, 0x1001, 0x800] {
            assert!(PvalidateEntry::from_u64(entry).is_err(), "{entry:#x}");
        }
    }

    #[test]
    fn a_list_longer_than_its_bytes_is_refused() {
        assert!(matches!(PvalidateList::parse(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Error::OutOfBounds { .. })));
        assert!(matches!(PvalidateList::parse(&[0; 7]), Err(Error::Length { .. })));
        assert!(matches!(PvalidateList::parse(&[0; 8]), Err(Error::Value { .. })));
        assert_eq!(
            PvalidateList::parse(&[0, 0, 0, 0, 1, 0, 0, 0]).unwrap_err(),
            Error::Reserved { what: "PVALIDATE request", offset: 4 }
        );
    }

    proptest! {
        #[test]
        fn random_lists_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(list) = PvalidateList::parse(&bytes) {
                prop_assert!(list.pending().count() <= 7);
            }
        }
    }
}
