// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch of an ELF executable that plays VMPL 0 (System V ABI, "Program Header"): its segments page by page, its state last.
//!
//! The rules, in order:
//!
//! 1. Every `PT_LOAD` segment with memory is loaded at its physical address (`p_paddr`); segments stand in ascending
//!    order, and where one begins in the page in which the one before ends, that page holds both.
//! 2. Each page that the segments touch is launched in ascending order: as [`PageType::Normal`] if it holds a byte of
//!    the file, the rest of it being zero; as [`PageType::Zero`] if it lies wholly beyond the file's bytes.
//! 3. The firmware that VMPL 0 starts for the guest, where there is one, follows as [`PageType::Normal`] pages that end at
//!    4 GiB, as a machine maps its flash.
//! 4. Then come one [`PageType::Secrets`] and one [`PageType::Cpuid`] page, right behind the last segment's page.
//! 5. Last is the boot processor's VMSA: QEMU's reset state with SNP active and no CPUID signature, but CS based at 0
//!    and RIP at the entry point, at the address that KVM gives every VMSA.

use std::collections::BTreeMap;

use evtpm_snp::{
    PAGE_SIZE, PageType, U64,
    vmsa::{SEV_FEATURE_SNP_ACTIVE, Vmsa},
};

use crate::{
    Error, Launch,
    bytes::{array, u16_at, u32_at, u64_at},
};

const PT_LOAD: u32 = 1;
const PROGRAM_HEADER_BYTES: usize = 56;

/// The most memory that the segments may span: 1 GiB.
const MAX_SPAN: u64 = 1 << 30;

/// Where a firmware file ends in the guest's memory.
const FIRMWARE_END: u64 = 1 << 32;

/// The pages of an executable's launch, with the firmware that it starts for the guest.
pub fn launch(file: &[u8], firmware: Option<&[u8]>) -> Result<Launch, Error> {
    check_header(file)?;
    let entry = u64_at(file, 0x18, "ELF header")?;
    let image = Image::load(file)?;

    let mut launch = Launch::new();
    let mut next = 0;
    for (gpa, page) in &image.pages {
        match page {
            Some(contents) => launch.add_page(PageType::Normal, *gpa, contents)?,
            None => launch.add_zeros(PageType::Zero, *gpa, 1)?,
        }
        next = gpa.saturating_add(PAGE_SIZE as u64);
    }
    if let Some(firmware) = firmware {
        let size = firmware.len().next_multiple_of(PAGE_SIZE) as u64;
        let start = FIRMWARE_END.checked_sub(size).filter(|start| *start >= next);
        let start = start.ok_or_else(|| Error::Invalid {
            what: "firmware",
            detail: format!("{size} bytes below 4 GiB overlap the executable, which ends at {next:#x}"),
        })?;
        launch.add_bytes(PageType::Normal, start, firmware)?;
    }
    launch.add_zeros(PageType::Secrets, next, 1)?;
    launch.add_zeros(PageType::Cpuid, next.saturating_add(PAGE_SIZE as u64), 1)?;
    launch.add_vmsa(&boot_state(entry))?;
    Ok(launch)
}

fn boot_state(entry: u64) -> Vmsa {
    let mut vmsa = Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE);
    vmsa.cs.base = U64::new(0);
    vmsa.rip = U64::new(entry);
    vmsa
}

/// Accepts little-endian ELF64 for x86-64, executable or position independent.
fn check_header(file: &[u8]) -> Result<(), Error> {
    let identification: [u8; 7] = array(file, 0, "ELF header")?;
    if identification != [0x7f, b'E', b'L', b'F', 2, 1, 1] {
        return Err(Error::Invalid { what: "ELF header", detail: "not a little-endian ELF64 file".into() });
    }
    let kind = u16_at(file, 0x10, "ELF header")?;
    let machine = u16_at(file, 0x12, "ELF header")?;
    match (kind, machine) {
        (2 | 3, 62) => Ok(()),
        _ => Err(Error::Invalid {
            what: "ELF header",
            detail: format!("type {kind} for machine {machine} is no x86-64 executable"),
        }),
    }
}

/// The pages that the segments touch; `None` is a page without a byte of the file.
struct Image {
    pages: BTreeMap<u64, Option<Box<[u8; PAGE_SIZE]>>>,
}

struct Segment<'a> {
    address: u64,
    memory: u64,
    contents: &'a [u8],
}

impl Image {
    fn load(file: &[u8]) -> Result<Self, Error> {
        let mut image = Self { pages: BTreeMap::new() };
        let mut end = 0;
        let mut start = None;
        for segment in segments(file)? {
            let segment = segment?;
            let first = *start.get_or_insert(segment.address);
            let segment_end =
                segment.address.checked_add(segment.memory).filter(|end| end.saturating_sub(first) <= MAX_SPAN);
            let Some(segment_end) = segment_end.filter(|_| segment.address >= end) else {
                return Err(Error::Invalid {
                    what: "program header",
                    detail: format!("segment at {:#x} is out of order or too large", segment.address),
                });
            };
            image.touch(segment.address, segment_end);
            image.copy(segment.address, segment.contents);
            end = segment_end;
        }
        if image.pages.is_empty() {
            return Err(Error::Missing { what: "segment to load" });
        }
        Ok(image)
    }

    fn touch(&mut self, from: u64, end: u64) {
        let first = page_of(from);
        let pages = (first..end).step_by(PAGE_SIZE);
        for gpa in pages {
            self.pages.entry(gpa).or_insert(None);
        }
    }

    fn copy(&mut self, address: u64, contents: &[u8]) {
        let mut address = address;
        let mut rest = contents;
        while !rest.is_empty() {
            let gpa = page_of(address);
            let page = self.pages.entry(gpa).or_insert(None).get_or_insert_with(|| Box::new([0; PAGE_SIZE]));
            let offset = usize::try_from(address.saturating_sub(gpa)).unwrap_or(0);
            let room = page.get_mut(offset..).unwrap_or_default();
            let (now, later) = rest.split_at_checked(room.len()).unwrap_or((rest, &[]));
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            address = address.saturating_add(now.len() as u64);
            rest = later;
        }
    }
}

fn page_of(address: u64) -> u64 {
    address & !(PAGE_SIZE as u64).saturating_sub(1)
}

fn segments(file: &[u8]) -> Result<impl Iterator<Item = Result<Segment<'_>, Error>>, Error> {
    let table = u64_at(file, 0x20, "ELF header")?;
    let size = u16_at(file, 0x36, "ELF header")?;
    let count = u16_at(file, 0x38, "ELF header")?;
    if usize::from(size) != PROGRAM_HEADER_BYTES {
        return Err(Error::Invalid { what: "ELF header", detail: format!("program headers of {size} bytes") });
    }
    let table = usize::try_from(table).ok().and_then(|table| file.get(table..)).unwrap_or_default();
    let length = usize::from(count).saturating_mul(PROGRAM_HEADER_BYTES);
    let headers = table.get(..length).ok_or(Error::Truncated { what: "program headers" })?;
    Ok(headers.chunks_exact(PROGRAM_HEADER_BYTES).filter_map(|header| segment(file, header).transpose()))
}

/// Reads one program header; `None` if it is nothing to load.
fn segment<'a>(file: &'a [u8], header: &[u8]) -> Result<Option<Segment<'a>>, Error> {
    const WHAT: &str = "program header";
    let [offset, address, in_file, memory] = [0x08, 0x18, 0x20, 0x28].map(|field| u64_at(header, field, WHAT));
    let (offset, address, in_file, memory) = (offset?, address?, in_file?, memory?);
    if u32_at(header, 0, WHAT)? != PT_LOAD || memory == 0 {
        return Ok(None);
    }
    if in_file > memory {
        return Err(Error::Invalid { what: WHAT, detail: format!("{in_file} bytes of file for {memory} of memory") });
    }
    let end = offset.checked_add(in_file).and_then(|end| usize::try_from(end).ok());
    let contents = usize::try_from(offset)
        .ok()
        .zip(end)
        .and_then(|(offset, end)| file.get(offset..end))
        .ok_or(Error::Truncated { what: "segment" })?;
    Ok(Some(Segment { address, memory, contents }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(file: &[u8]) -> Result<Launch, Error> {
        super::launch(file, None)
    }

    /// An ELF file with these segments: address, bytes, size in memory.
    fn elf(entry: u64, segments: &[(u64, &[u8], u64)]) -> Vec<u8> {
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1];
        file.resize(0x40, 0);
        file[0x10..0x14].copy_from_slice(&[3, 0, 62, 0]);
        file[0x18..0x20].copy_from_slice(&entry.to_le_bytes());
        file[0x20] = 0x40;
        file[0x36] = 56;
        file[0x38] = segments.len() as u8;
        let mut data = 0x40 + 56 * segments.len() as u64;
        for (address, bytes, memory) in segments {
            let mut header = [0; 56];
            header[0] = 1;
            for (field, value) in [(8, data), (0x18, *address), (0x20, bytes.len() as u64), (0x28, *memory)] {
                header[field..field + 8].copy_from_slice(&u64::to_le_bytes(value));
            }
            file.extend_from_slice(&header);
            data += bytes.len() as u64;
        }
        for (_, bytes, _) in segments {
            file.extend_from_slice(bytes);
        }
        file
    }

    fn kinds(launch: &Launch) -> Vec<(PageType, u64)> {
        launch.pages().map(|page| (page.page_type, page.gpa)).collect()
    }

    #[test]
    fn pages_ascend_and_the_state_comes_last() {
        let launch = launch(&elf(0x1010, &[(0x1000, &[7; 16], 0x2000), (0x5000, &[8], 1)])).unwrap();
        assert_eq!(
            kinds(&launch),
            [
                (PageType::Normal, 0x1000),
                (PageType::Zero, 0x2000),
                (PageType::Normal, 0x5000),
                (PageType::Secrets, 0x6000),
                (PageType::Cpuid, 0x7000),
                (PageType::Vmsa, 0xffff_ffff_f000),
            ]
        );
    }

    #[test]
    fn segments_that_meet_in_a_page_share_it() {
        let launch = launch(&elf(0, &[(0x1000, &[7; 8], 8), (0x1010, &[8; 4], 4)])).unwrap();
        let page = launch.pages().next().unwrap();
        assert_eq!(page.contents[..0x18], [[7; 8], [0; 8], [8, 8, 8, 8, 0, 0, 0, 0]].concat());
    }

    #[test]
    fn each_byte_of_the_file_and_the_entry_point_change_the_digest() {
        let segments: [(u64, &[u8], u64); 1] = [(0x1000, &[7; 16], 0x1000)];
        let digest = launch(&elf(0x1000, &segments)).unwrap().digest();
        assert_ne!(launch(&elf(0x1001, &segments)).unwrap().digest(), digest);
        let file = elf(0x1000, &segments);
        for byte in file.len() - 16..file.len() {
            let mut changed = file.clone();
            changed[byte] ^= 1;
            assert_ne!(launch(&changed).unwrap().digest(), digest);
        }
    }

    #[test]
    fn the_firmware_ends_at_4_gib_and_comes_before_the_secrets() {
        let file = elf(0x1000, &[(0x1000, &[7; 16], 16)]);
        let launch = super::launch(&file, Some(&[1; PAGE_SIZE + 1])).unwrap();
        assert_eq!(
            kinds(&launch)[..4],
            [
                (PageType::Normal, 0x1000),
                (PageType::Normal, 0xffff_e000),
                (PageType::Normal, 0xffff_f000),
                (PageType::Secrets, 0x2000),
            ]
        );
    }

    #[test]
    fn a_firmware_that_would_overlap_the_executable_is_refused() {
        let file = elf(0x1000, &[(0xffff_f000, &[7; 16], 16)]);
        let refused = super::launch(&file, Some(&[1; 2 * PAGE_SIZE]));
        assert!(matches!(refused, Err(Error::Invalid { what: "firmware", .. })), "{refused:?}");
    }

    #[test]
    fn segments_out_of_order_are_refused() {
        let refused = launch(&elf(0, &[(0x5000, &[8], 1), (0x1000, &[7; 16], 0x1000)]));
        assert!(matches!(refused, Err(Error::Invalid { what: "program header", .. })), "{refused:?}");
    }

    #[test]
    fn a_segment_beyond_the_limit_is_refused() {
        let refused = launch(&elf(0, &[(0x1000, &[7], u64::MAX)]));
        assert!(matches!(refused, Err(Error::Invalid { what: "program header", .. })), "{refused:?}");
    }

    #[test]
    fn a_truncated_file_is_refused_wherever_it_ends() {
        let file = elf(0x1000, &[(0x1000, &[7; 16], 0x1000)]);
        for length in 0..file.len() {
            assert!(launch(&file[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn this_very_program_can_be_launched() {
        let file = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let launch = launch(&file).unwrap();
        assert_eq!(launch.pages().last().unwrap().page_type, PageType::Vmsa);
    }
}
