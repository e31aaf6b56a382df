// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch digest (SNP ABI, "SNP_LAUNCH_UPDATE", "Page Info"): one SHA-384 per page over PAGE_INFO.

use core::fmt;

use crate::PAGE_SIZE;
use evtpm_layout::{U16, U64};

/// The guest physical address with which KVM measures a VMSA: all ones below bit 52, page aligned.
pub const VMSA_GPA: u64 = 0xffff_ffff_f000;

/// The digest of everything that was launched, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaunchDigest(pub [u8; 48]);

impl fmt::Display for LaunchDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LaunchDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// PAGE_TYPE of SNP_LAUNCH_UPDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PageType {
    /// Data or code, measured.
    Normal,
    /// The state of a virtual processor, measured.
    Vmsa,
    /// A page of zeros, whose address is measured.
    Zero,
    /// A page whose address is measured and whose contents are not.
    Unmeasured,
    /// The page into which the firmware writes the secrets.
    Secrets,
    /// The page of CPUID values, which the firmware checks.
    Cpuid,
}

impl PageType {
    /// All page types, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Normal, Self::Vmsa, Self::Zero, Self::Unmeasured, Self::Secrets, Self::Cpuid];

    /// Returns the number of the page type.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Normal => 1,
            Self::Vmsa => 2,
            Self::Zero => 3,
            Self::Unmeasured => 4,
            Self::Secrets => 5,
            Self::Cpuid => 6,
        }
    }

    /// Returns the page type with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Normal),
            2 => Some(Self::Vmsa),
            3 => Some(Self::Zero),
            4 => Some(Self::Unmeasured),
            5 => Some(Self::Secrets),
            6 => Some(Self::Cpuid),
            _ => None,
        }
    }

    /// Says whether the contents of the page are part of the digest.
    #[must_use]
    pub const fn measures_contents(self) -> bool {
        matches!(self, Self::Normal | Self::Vmsa)
    }
}

evtpm_layout::layout! {
    /// What is hashed for one page.
    #[derive(Copy, Debug)]
    pub struct PageInfo, 0x70 {
        /// The digest before this page.
        0x00 digest_cur: [u8; 48],
        /// SHA-384 of the page, or zeros where contents are not measured.
        0x30 contents: [u8; 48],
        /// The size of this structure.
        0x60 length: U16,
        /// PAGE_TYPE.
        0x62 page_type: u8,
        /// IMI_PAGE: the page belongs to the initial migration image.
        0x63 imi_page: u8,
        /// The permissions of VMPL 3.
        0x64 vmpl3_perms: u8,
        /// The permissions of VMPL 2.
        0x65 vmpl2_perms: u8,
        /// The permissions of VMPL 1.
        0x66 vmpl1_perms: u8,
        /// Reserved.
        0x67 reserved: u8,
        /// The guest physical address of the page.
        0x68 gpa: U64,
    }
}

impl PageInfo {
    /// Returns the structure of an ordinary page: no migration image, no permissions above VMPL 0.
    #[must_use]
    pub fn new(digest_cur: LaunchDigest, page_type: PageType, gpa: u64, contents: [u8; 48]) -> Self {
        Self {
            digest_cur: digest_cur.0,
            contents,
            length: U16::new(0x70),
            page_type: page_type.number(),
            imi_page: 0,
            vmpl3_perms: 0,
            vmpl2_perms: 0,
            vmpl1_perms: 0,
            reserved: 0,
            gpa: U64::new(gpa),
        }
    }
}

/// A launch digest in the making, over a SHA-384 given as a function.
#[derive(Clone)]
pub struct LaunchMeasurement<H> {
    digest: LaunchDigest,
    sha384: H,
}

impl<H: Fn(&[u8]) -> [u8; 48]> LaunchMeasurement<H> {
    /// Starts with the digest of zeros.
    pub fn new(sha384: H) -> Self {
        Self { digest: LaunchDigest([0; 48]), sha384 }
    }

    /// Goes on from the digest of pages that were added before.
    pub fn resume(digest: LaunchDigest, sha384: H) -> Self {
        Self { digest, sha384 }
    }

    /// Adds one page; `contents` is looked at only where its type has them measured.
    pub fn add_page(&mut self, page_type: PageType, gpa: u64, contents: &[u8; PAGE_SIZE]) {
        let contents = if page_type.measures_contents() { (self.sha384)(contents) } else { [0; 48] };
        self.add(&PageInfo::new(self.digest, page_type, gpa, contents));
    }

    /// Adds one page whose PAGE_INFO the caller made; its `digest_cur` is replaced by the digest so far.
    pub fn add(&mut self, page_info: &PageInfo) {
        let page_info = PageInfo { digest_cur: self.digest.0, ..*page_info };
        self.digest = LaunchDigest((self.sha384)(page_info.as_bytes()));
    }

    /// Returns the digest of the pages so far.
    #[must_use]
    pub fn digest(&self) -> LaunchDigest {
        self.digest
    }
}

impl<H> fmt::Debug for LaunchMeasurement<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LaunchMeasurement").field(&self.digest).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vmsa::{BSP_RESET_EIP, Vmsa};
    use serde_json::Value;
    use sha2::{Digest as _, Sha384};
    use std::path::{Path, PathBuf};
    use std::println;
    use std::string::ToString as _;
    use std::vec::Vec;

    fn sha384(data: &[u8]) -> [u8; 48] {
        Sha384::digest(data).into()
    }

    #[test]
    fn numbers_and_types_correspond() {
        for page_type in PageType::ALL {
            assert_eq!(PageType::from_number(page_type.number()), Some(page_type));
        }
        assert_eq!(PageType::from_number(0), None);
        assert_eq!(PageType::from_number(7), None);
    }

    #[test]
    fn an_independent_hash_of_the_same_bytes_gives_the_same_digest() {
        let page = [0x5a; PAGE_SIZE];
        let mut measurement = LaunchMeasurement::new(sha384);
        measurement.add_page(PageType::Normal, 0x1000, &page);
        measurement.add_page(PageType::Zero, 0x2000, &page);

        let mut first = [0; 0x70];
        first[0x30..0x60].copy_from_slice(&sha384(&page));
        first[0x60..0x63].copy_from_slice(&[0x70, 0, 1]);
        first[0x68..].copy_from_slice(&0x1000_u64.to_le_bytes());
        let mut second = [0; 0x70];
        second[..0x30].copy_from_slice(&sha384(&first));
        second[0x60..0x63].copy_from_slice(&[0x70, 0, 3]);
        second[0x68..].copy_from_slice(&0x2000_u64.to_le_bytes());
        assert_eq!(measurement.digest(), LaunchDigest(sha384(&second)));
    }

    #[test]
    fn the_digest_is_shown_in_hexadecimal() {
        let mut measurement = LaunchMeasurement::new(sha384);
        measurement.add_page(PageType::Secrets, 0, &[0; PAGE_SIZE]);
        assert_eq!(measurement.digest().to_string().len(), 96);
    }

    fn sections(firmware: &Value) -> Vec<(u64, u64, u64)> {
        let sections = firmware["metadata"]["sections"].as_array().unwrap();
        let number = |section: &Value, name: &str| section[name].as_u64().unwrap();
        sections.iter().map(|s| (number(s, "type"), number(s, "gpa"), number(s, "size"))).collect()
    }

    /// Continues from the digest of the firmware's own pages: metadata sections as QEMU launches them, then the VMSAs.
    fn qemu_digest(firmware: &Value, processors: usize, signature: u32, features: u64) -> LaunchDigest {
        let seed = hex::decode(firmware["ovmf_launch_digest"].as_str().unwrap()).unwrap();
        let mut measurement = LaunchMeasurement::resume(LaunchDigest(seed.try_into().unwrap()), sha384);
        for (section, gpa, size) in sections(firmware) {
            let page_type = match section {
                2 => PageType::Secrets,
                3 => PageType::Cpuid,
                _ => PageType::Zero,
            };
            for offset in (0..size).step_by(PAGE_SIZE) {
                measurement.add_page(page_type, gpa + offset, &[0; PAGE_SIZE]);
            }
        }
        let ap_eip = firmware["sev_es_reset_block_eip"].as_u64().unwrap() as u32;
        for processor in 0..processors {
            let eip = if processor == 0 { BSP_RESET_EIP } else { ap_eip };
            let vmsa = Vmsa::qemu_reset(eip, signature, features);
            measurement.add_page(PageType::Vmsa, VMSA_GPA, vmsa.as_bytes());
        }
        measurement.digest()
    }

    #[test]
    fn digests_of_qemu_guests_without_a_kernel_are_the_published_ones() {
        let folder = std::env::var_os("EVTPM_EVIDENCE")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
        let Ok(file) = std::fs::read(folder.join("launch-measurement/sev-snp-measure/vectors.json")) else {
            println!("skipped: no evidence folder (EVTPM_EVIDENCE)");
            return;
        };
        let vectors: Value = serde_json::from_slice(&file).unwrap();
        let mut seen = 0;
        for vector in vectors["vectors"].as_array().unwrap() {
            let args: Vec<_> = vector["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
            if args[0] != "SevMode.SEV_SNP" || vector["vmm"] != "QEMU" || args[4] != "None" {
                continue;
            }
            let signature = vectors["cpu_sigs"][args[2]].as_str().unwrap().trim_start_matches("0x");
            let signature = u32::from_str_radix(signature, 16).unwrap();
            let (processors, features) = (args[1].parse().unwrap(), args[7].parse().unwrap());
            let digest = qemu_digest(&vectors["ovmf"][args[3]], processors, signature, features);
            assert_eq!(digest.to_string(), vector["expected"].as_str().unwrap());
            seen += 1;
        }
        assert_eq!(seen, 2);
    }
}
