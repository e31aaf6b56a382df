// SPDX-License-Identifier: Apache-2.0 OR MIT
//! UEFI structures inside events: variables, loaded images, partition tables (PFP, "Event Data Structures").

use evtpm_layout::Guid;

use crate::Utf16;
use crate::bytes::Cursor;
use crate::tcg::DevicePath;

/// `EFI_GLOBAL_VARIABLE`, the vendor of SecureBoot, PK, KEK and Boot####.
pub const GLOBAL_VARIABLE: Guid = Guid::new(0x8be4df61_93ca_11d2_aa0d_00e098032b8c);
/// `EFI_IMAGE_SECURITY_DATABASE`, the vendor of db and dbx.
pub const IMAGE_SECURITY_DATABASE: Guid = Guid::new(0xd719b2cb_3d3a_4596_a3bc_dad00e67656f);

/// `UEFI_VARIABLE_DATA`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UefiVariable<'a> {
    /// The variable's vendor.
    pub vendor: Guid,
    /// The variable's name.
    pub name: Utf16<'a>,
    /// The variable's content.
    pub content: &'a [u8],
}

impl<'a> UefiVariable<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(data, 0, 0);
        let vendor = Guid(cursor.array("VariableName").ok()?);
        let name_units = usize::try_from(cursor.u64("UnicodeNameLength").ok()?).ok()?;
        let content_size = usize::try_from(cursor.u64("VariableDataLength").ok()?).ok()?;
        let name = Utf16::new(cursor.take("UnicodeName", name_units.checked_mul(2)?).ok()?)?;
        let content = cursor.take("VariableData", content_size).ok()?;
        cursor.is_empty().then_some(UefiVariable { vendor, name, content })
    }
}

/// `UEFI_IMAGE_LOAD_EVENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLoad<'a> {
    /// Where the image was in memory.
    pub location: u64,
    /// The image's length.
    pub length: u64,
    /// The address that the image was linked for.
    pub link_time_address: u64,
    /// Where the image came from.
    pub device_path: DevicePath<'a>,
}

impl<'a> ImageLoad<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(data, 0, 0);
        let location = cursor.u64("ImageLocationInMemory").ok()?;
        let length = cursor.u64("ImageLengthInMemory").ok()?;
        let link_time_address = cursor.u64("ImageLinkTimeAddress").ok()?;
        let path_length = usize::try_from(cursor.u64("LengthOfDevicePath").ok()?).ok()?;
        let device_path = DevicePath::new(cursor.take("DevicePath", path_length).ok()?);
        cursor.is_empty().then_some(ImageLoad { location, length, link_time_address, device_path })
    }
}

/// `UEFI_GPT_DATA`: the partition table's header and the entries in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GptEvent<'a> {
    /// The disk's GUID.
    pub disk: Guid,
    entries: &'a [u8],
    entry_size: usize,
}

/// One partition of a [`GptEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GptPartition<'a> {
    /// The partition's type.
    pub kind: Guid,
    /// The partition's own GUID.
    pub id: Guid,
    /// The first block.
    pub first_block: u64,
    /// The last block.
    pub last_block: u64,
    /// The name, padded with NULs.
    pub name: &'a [u8],
}

impl<'a> GptEvent<'a> {
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(data, 0, 0);
        // UEFI, "GPT Header": signature, revision, size, CRC, reserved, own and alternate block, first and last usable.
        cursor.take("EFI_PARTITION_TABLE_HEADER", 56).ok().filter(|header| header.starts_with(b"EFI PART"))?;
        let disk = Guid(cursor.array("DiskGUID").ok()?);
        cursor.take("PartitionEntryLBA, NumberOfPartitionEntries", 12).ok()?;
        let entry_size = usize::try_from(cursor.u32("SizeOfPartitionEntry").ok()?).ok()?;
        cursor.u32("PartitionEntryArrayCRC32").ok()?;
        let count = usize::try_from(cursor.u64("NumberOfPartitions").ok()?).ok()?;
        let entries = cursor.take("Partitions", count.checked_mul(entry_size)?).ok()?;
        (cursor.is_empty() && entry_size >= 128).then_some(GptEvent { disk, entries, entry_size })
    }

    /// Returns the partitions that the table lists.
    pub fn partitions(&self) -> impl Iterator<Item = GptPartition<'a>> + use<'a> {
        self.entries.chunks_exact(self.entry_size.max(1)).filter_map(|entry| {
            let mut cursor = Cursor::new(entry, 0, 0);
            let kind = Guid(cursor.array("PartitionTypeGUID").ok()?);
            let id = Guid(cursor.array("UniquePartitionGUID").ok()?);
            let (first_block, last_block) = (cursor.u64("StartingLBA").ok()?, cursor.u64("EndingLBA").ok()?);
            cursor.u64("Attributes").ok()?;
            let name = cursor.take("PartitionName", 72).ok()?;
            Some(GptPartition { kind, id, first_block, last_block, name })
        })
    }
}
