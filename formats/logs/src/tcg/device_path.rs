// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Device paths, as far as a reader of a boot log needs them (UEFI, "Device Path Protocol").

use core::fmt;

use crate::Utf16;
use crate::tcg::Guid;

/// A device path as the firmware stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevicePath<'a>(&'a [u8]);

/// One node of a device path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DevicePathNode<'a> {
    /// Media, file path: `\EFI\BOOT\BOOTX64.EFI`.
    File(Utf16<'a>),
    /// Media, hard drive: the partition's number and its signature.
    HardDrive {
        /// Partition number.
        partition: u32,
        /// Partition GUID, for GPT disks.
        signature: Guid,
    },
    /// Media, firmware volume.
    FirmwareVolume(Guid),
    /// Media, firmware file.
    FirmwareFile(Guid),
    /// ACPI: `_HID` and `_UID`.
    Acpi {
        /// Compressed EISA identifier.
        hid: u32,
        /// Unit number.
        uid: u32,
    },
    /// Hardware, PCI: device and function.
    Pci {
        /// Device number.
        device: u8,
        /// Function number.
        function: u8,
    },
    /// Any other node, by type and sub-type.
    Other {
        /// Type.
        kind: u8,
        /// Sub-type.
        sub_kind: u8,
        /// The node's data.
        data: &'a [u8],
    },
}

impl<'a> DevicePath<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        DevicePath(bytes)
    }

    /// Returns the path's bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the nodes up to the end node, or up to the first that does not fit.
    pub fn nodes(&self) -> impl Iterator<Item = DevicePathNode<'a>> + use<'a> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let ([kind, sub_kind, low, high], _) = rest.split_first_chunk::<4>()?;
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let (node, tail) = rest.split_at_checked(length.max(4))?;
            rest = tail;
            // UEFI, "End of Hardware Device Path": type 7Fh
            (*kind != 0x7F).then(|| DevicePathNode::parse(*kind, *sub_kind, node.get(4..).unwrap_or_default()))
        })
    }
}

impl<'a> DevicePathNode<'a> {
    fn parse(kind: u8, sub_kind: u8, data: &'a [u8]) -> Self {
        Self::known(kind, sub_kind, data).unwrap_or(DevicePathNode::Other { kind, sub_kind, data })
    }

    fn known(kind: u8, sub_kind: u8, data: &'a [u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?));
        let guid = |at: usize| Some(Guid(*data.get(at..)?.first_chunk()?));
        match (kind, sub_kind) {
            (1, 1) => match data {
                [function, device] => Some(DevicePathNode::Pci { device: *device, function: *function }),
                _ => None,
            },
            (2, 1) => Some(DevicePathNode::Acpi { hid: word(0)?, uid: word(4)? }),
            (4, 1) => Some(DevicePathNode::HardDrive { partition: word(0)?, signature: guid(20)? }),
            (4, 4) => Utf16::new(data).map(DevicePathNode::File),
            (4, 6) => guid(0).map(DevicePathNode::FirmwareFile),
            (4, 7) => guid(0).map(DevicePathNode::FirmwareVolume),
            _ => None,
        }
    }
}

impl fmt::Display for DevicePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nodes().try_for_each(|node| write!(f, "/{node}"))
    }
}

impl fmt::Display for DevicePathNode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DevicePathNode::File(path) => path.fmt(f),
            DevicePathNode::HardDrive { partition, signature } => write!(f, "HD({partition},{signature})"),
            DevicePathNode::FirmwareVolume(guid) => write!(f, "Fv({guid})"),
            DevicePathNode::FirmwareFile(guid) => write!(f, "FvFile({guid})"),
            // UEFI, "ACPI Device Path": PNP0A03 and PNP0A08 are PCI roots, compressed to these numbers.
            DevicePathNode::Acpi { hid: 0x0A03_41D0, uid } => write!(f, "PciRoot({uid:#x})"),
            DevicePathNode::Acpi { hid: 0x0A08_41D0, uid } => write!(f, "PcieRoot({uid:#x})"),
            DevicePathNode::Acpi { hid, uid } => write!(f, "Acpi({hid:#010x},{uid:#x})"),
            DevicePathNode::Pci { device, function } => write!(f, "Pci({device:#x},{function:#x})"),
            DevicePathNode::Other { kind, sub_kind, data } => {
                write!(f, "Path({kind},{sub_kind},{})", crate::Hex(data))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn the_path_of_a_removable_boot_loader_reads_as_people_write_it() {
        let acpi = [2, 1, 12, 0, 0xD0, 0x41, 0x03, 0x0A, 0, 0, 0, 0].as_slice();
        let pci = [1, 1, 6, 0, 2, 0x1F].as_slice();
        let file = [4, 4, 10, 0, b'\\', 0, b'a', 0, 0, 0].as_slice();
        let end = [0x7F, 0xFF, 4, 0].as_slice();
        let bytes = [acpi, pci, file, end, file].concat();
        assert_eq!(DevicePath::new(&bytes).to_string(), "/PciRoot(0x0)/Pci(0x1f,0x2)/\\a");
    }

    #[test]
    fn a_node_that_claims_more_than_there_is_ends_the_path() {
        assert_eq!(DevicePath::new(&[4, 4, 0xFF, 0xFF, 0, 0]).nodes().count(), 0);
        // A length below the header's own would never advance.
        assert_eq!(DevicePath::new(&[9, 9, 0, 0, 9, 9, 0, 0]).nodes().count(), 2);
    }
}
