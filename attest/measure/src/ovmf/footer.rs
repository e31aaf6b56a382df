// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of GUIDs at the end of an OVMF file, and the SNP metadata that it points to (OvmfPkg/ResetVector).

use evtpm_layout::Guid;

use crate::{
    Error,
    bytes::{array, u32_at},
};

/// The table ends so many bytes before the end of the file, which is where the reset vector stands.
const RESET_VECTOR_BYTES: usize = 0x20;

// GUIDs as the file stores them: the first three fields little-endian.
const FOOTER: [u8; 16] = Guid::new(0x96b582de_1fb2_45f7_baea_a366c55a082d).0;
const SEV_ES_RESET_BLOCK: [u8; 16] = Guid::new(0x00f771de_1a7e_4fcb_890e_68c77e2fb44e).0;
const SEV_METADATA: [u8; 16] = Guid::new(0xdc886566_984a_4798_a75e_5585a7bf67cc).0;
const SVSM_INFO: [u8; 16] = Guid::new(0xa789a612_0597_4c4b_a49f_cbb1fe9d1ddd).0;
const SEV_HASH_TABLE: [u8; 16] = Guid::new(0x7255371f_3a3b_4b04_927b_1da6efa8d454).0;

/// The most sections that metadata may list.
const MAX_SECTIONS: u32 = 64;

/// What a firmware file says about its launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    sections: Vec<Section>,
    ap_entry: Option<u32>,
    hash_table: Option<u32>,
}

/// A range of guest memory that the launch has to fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// The guest physical address.
    pub gpa: u32,
    /// The length in bytes.
    pub size: u32,
    /// What belongs there.
    pub kind: SectionKind,
}

/// What belongs into a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// Memory that the firmware uses before it accepts any.
    Memory,
    /// The secrets page.
    Secrets,
    /// The CPUID page.
    Cpuid,
    /// The calling area of an SVSM.
    SvsmCaa,
    /// The hashes of a kernel that is loaded directly.
    KernelHashes,
}

impl SectionKind {
    fn from_number(number: u32) -> Result<Self, Error> {
        match number {
            1 => Ok(Self::Memory),
            2 => Ok(Self::Secrets),
            3 => Ok(Self::Cpuid),
            4 => Ok(Self::SvsmCaa),
            0x10 => Ok(Self::KernelHashes),
            _ => Err(Error::Invalid { what: "SNP metadata", detail: format!("unknown section type {number}") }),
        }
    }
}

impl Firmware {
    /// Reads the table and the metadata of a firmware file.
    pub fn parse(file: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "SNP metadata";
        let from_end = Table::find(file)?.number(&SEV_METADATA)?.ok_or(Error::Missing { what: WHAT })?;
        let offset = usize::try_from(from_end).ok().and_then(|from_end| file.len().checked_sub(from_end));
        let sections = metadata(file, offset.ok_or(Error::Truncated { what: WHAT })?)?;
        Ok(Self { sections, ..Self::before_snp(file)? })
    }

    /// Reads the table alone: a firmware that is launched with SEV or SEV-ES needs no metadata.
    pub fn before_snp(file: &[u8]) -> Result<Self, Error> {
        let table = Table::find(file)?;
        Ok(Self {
            sections: Vec::new(),
            ap_entry: table.number(&SEV_ES_RESET_BLOCK)?,
            hash_table: table.number(&SEV_HASH_TABLE)?,
        })
    }

    /// Describes a firmware of which only these facts are known.
    pub fn from_facts(sections: Vec<Section>, ap_entry: Option<u32>, hash_table: Option<u32>) -> Self {
        Self { sections, ap_entry, hash_table }
    }

    /// Iterates over the metadata's sections in order.
    pub fn sections(&self) -> impl Iterator<Item = Section> {
        self.sections.iter().copied()
    }

    /// Returns the address at which all processors but the first start.
    pub fn ap_entry(&self) -> Result<u32, Error> {
        self.ap_entry.ok_or(Error::Missing { what: "SEV-ES reset block" })
    }

    /// Returns the address of the table of kernel hashes.
    pub(super) fn hash_table(&self) -> Result<u32, Error> {
        // A firmware that takes no hashes says so by the address 0.
        self.hash_table.filter(|address| *address != 0).ok_or(Error::Missing { what: "kernel hash table" })
    }

    /// Returns where in its page the table of kernel hashes begins.
    pub(super) fn hash_table_offset(&self) -> Result<usize, Error> {
        usize::try_from(self.hash_table()? & 0xfff).map_err(|_| Error::Missing { what: "kernel hash table" })
    }
}

/// Returns the offset at which an SVSM image starts to run, as its table says.
pub(crate) fn svsm_entry(file: &[u8]) -> Result<u32, Error> {
    Table::find(file)?.number(&SVSM_INFO)?.ok_or(Error::Missing { what: "SVSM entry point" })
}

/// The entries of the GUID table, which is read from its end.
struct Table<'a> {
    entries: &'a [u8],
}

impl<'a> Table<'a> {
    fn find(file: &'a [u8]) -> Result<Self, Error> {
        const MISSING: Error = Error::Missing { what: "table of GUIDs" };
        let before = file.len().checked_sub(RESET_VECTOR_BYTES).and_then(|end| file.get(..end)).ok_or(MISSING)?;
        let (length, entries) = last_entry(before)
            .filter(|(guid, ..)| **guid == FOOTER)
            .map(|(_, length, rest)| (length, rest))
            .ok_or(MISSING)?;
        // The footer's length is that of the whole table, its own 18 bytes included.
        let length = usize::from(length).checked_sub(18).ok_or(MISSING)?;
        let start = entries.len().checked_sub(length).ok_or(Error::Truncated { what: "table of GUIDs" })?;
        Ok(Self { entries: entries.get(start..).unwrap_or_default() })
    }

    /// Reads the number with which an entry begins.
    fn number(&self, wanted: &[u8; 16]) -> Result<Option<u32>, Error> {
        self.entry(wanted)?.map(|data| u32_at(data, 0, "table entry")).transpose()
    }

    fn entry(&self, wanted: &[u8; 16]) -> Result<Option<&'a [u8]>, Error> {
        let mut rest = self.entries;
        while !rest.is_empty() {
            let malformed =
                Error::Invalid { what: "table of GUIDs", detail: "an entry is longer than the table".into() };
            let Some((guid, length, before)) = last_entry(rest) else { return Err(malformed) };
            let data = usize::from(length).checked_sub(18).and_then(|data| before.len().checked_sub(data));
            let Some((remaining, data)) = data.and_then(|start| before.split_at_checked(start)) else {
                return Err(malformed);
            };
            if guid == wanted {
                return Ok(Some(data));
            }
            rest = remaining;
        }
        Ok(None)
    }
}

/// Splits the last entry's GUID and length off: `data ‖ length ‖ GUID`.
fn last_entry(bytes: &[u8]) -> Option<(&[u8; 16], u16, &[u8])> {
    let (rest, guid) = bytes.split_last_chunk::<16>()?;
    let (rest, length) = rest.split_last_chunk::<2>()?;
    Some((guid, u16::from_le_bytes(*length), rest))
}

fn metadata(file: &[u8], offset: usize) -> Result<Vec<Section>, Error> {
    const WHAT: &str = "SNP metadata";
    let metadata = file.get(offset..).ok_or(Error::Truncated { what: WHAT })?;
    if array::<4>(metadata, 0, WHAT)? != *b"ASEV" {
        return Err(Error::Invalid { what: WHAT, detail: "no signature \"ASEV\"".into() });
    }
    let version = u32_at(metadata, 8, WHAT)?;
    let count = u32_at(metadata, 12, WHAT)?;
    if version != 1 || count > MAX_SECTIONS {
        return Err(Error::Invalid { what: WHAT, detail: format!("version {version} with {count} sections") });
    }
    (0..count)
        .map(|index| {
            let at = usize::try_from(index).unwrap_or(0).saturating_mul(12).saturating_add(16);
            Section::new(
                u32_at(metadata, at, WHAT)?,
                u32_at(metadata, at.saturating_add(4), WHAT)?,
                u32_at(metadata, at.saturating_add(8), WHAT)?,
            )
        })
        .collect()
}

impl Section {
    /// Reads a section from its three numbers, as the metadata has them.
    pub fn new(gpa: u32, size: u32, kind: u32) -> Result<Self, Error> {
        Ok(Self { gpa, size, kind: SectionKind::from_number(kind)? })
    }
}
