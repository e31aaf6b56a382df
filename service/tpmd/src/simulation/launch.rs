// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hands an executable to the secure processor page by page, as a hypervisor would (SNP ABI, "SNP_LAUNCH_UPDATE").

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::vmsa::{SEV_FEATURE_SNP_ACTIVE, Vmsa};
use evtpm_snp::{PAGE_SIZE, PageType, U64};
use evtpm_sp_sim::{GuestHandle, LaunchPage, Processor};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{LittleEndian, Object};

use super::Image;

/// Where flash memory ends.
const FLASH_END: u64 = 1 << 32;

/// The address that KVM gives a VMSA.
const VMSA_GPA: u64 = 0xffff_ffff_f000;

type Page = [u8; PAGE_SIZE];

/// Feeds all pages in order and returns the secrets page as the firmware filled it.
pub(super) fn feed(processor: &mut Processor, guest: GuestHandle, image: &Image<'_>) -> Result<SecretsPage> {
    let elf = ElfFile64::<LittleEndian>::parse(image.executable).context("the executable is not ELF64")?;
    let pages = layout(&elf)?;
    let mut update = |page_type, gpa, contents: &mut Page| {
        processor
            .launch_update(guest, LaunchPage::new(page_type, gpa, contents))
            .with_context(|| format!("LAUNCH_UPDATE of the page at {gpa:#x}"))
    };

    let mut behind = 0;
    for (gpa, contents) in pages {
        match contents {
            Some(mut contents) => update(PageType::Normal, gpa, &mut contents)?,
            None => update(PageType::Zero, gpa, &mut [0; PAGE_SIZE])?,
        }
        behind = gpa + PAGE_SIZE as u64;
    }
    if let Some(firmware) = image.firmware {
        let count = firmware.len().div_ceil(PAGE_SIZE) as u64;
        let start = FLASH_END.checked_sub(count * PAGE_SIZE as u64).context("the firmware is larger than 4 GiB")?;
        for (index, bytes) in (0..).zip(firmware.chunks(PAGE_SIZE)) {
            let mut page = [0; PAGE_SIZE];
            page[..bytes.len()].copy_from_slice(bytes);
            update(PageType::Normal, start + index * PAGE_SIZE as u64, &mut page)?;
        }
    }
    let mut secrets = [0; PAGE_SIZE];
    update(PageType::Secrets, behind, &mut secrets)?;
    update(PageType::Cpuid, behind + PAGE_SIZE as u64, &mut [0; PAGE_SIZE])?;

    let mut state = Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE);
    state.cs.base = U64::new(0);
    state.rip = U64::new(elf.entry());
    update(PageType::Vmsa, VMSA_GPA, &mut state.as_bytes().to_owned())?;
    Ok(SecretsPage::view(&secrets)?.clone())
}

/// The pages that the loadable segments touch, by address; `None` where no byte of the file lies.
fn layout(elf: &ElfFile64<'_, LittleEndian>) -> Result<BTreeMap<u64, Option<Box<Page>>>> {
    let mut pages: BTreeMap<u64, Option<Box<Page>>> = BTreeMap::new();
    let page_size = PAGE_SIZE as u64;
    for segment in elf.elf_program_headers() {
        if segment.p_type(LittleEndian) != object::elf::PT_LOAD {
            continue;
        }
        let start = segment.p_paddr(LittleEndian);
        let end = start.checked_add(segment.p_memsz(LittleEndian)).context("a segment wraps around")?;
        for gpa in (start / page_size * page_size..end).step_by(PAGE_SIZE) {
            pages.entry(gpa).or_default();
        }
        let bytes = segment.data(LittleEndian, elf.data()).ok().context("a segment lies outside of the file")?;
        for (address, byte) in (start..).zip(bytes) {
            let page = pages.entry(address / page_size * page_size).or_default();
            page.get_or_insert_with(|| Box::new([0; PAGE_SIZE]))[(address % page_size) as usize] = *byte;
        }
    }
    anyhow::ensure!(!pages.is_empty(), "the executable has nothing to load");
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use evtpm_sp_sim::{Platform, Product};

    use super::super::{POLICY, SimulatedHost};
    use super::*;

    #[test]
    fn the_processor_measures_what_the_predictor_says() {
        let executable = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for firmware in [None, Some(&[0x5a; 3 * PAGE_SIZE + 7][..])] {
            let host = SimulatedHost::new(Platform::new(Product::Genoa, [1; 32])).unwrap();
            let image = Image { executable: &executable, firmware, policy: POLICY, host_data: [0; 32] };
            let (mut channel, mut processor) = host.launch(&image).unwrap().into_channel();
            let expected = evtpm_measure::elf::launch(&executable, firmware).unwrap().digest();
            let request = evtpm_snp::request::ReportRequest::new([0; 64], 0, evtpm_snp::request::KeySelect::Auto);
            let payload = channel
                .request(&mut processor, evtpm_snp::MessageType::ReportRequest, request.as_bytes(), None)
                .unwrap();
            let report = evtpm_snp::request::ReportResponse::parse(payload).unwrap().unwrap();
            assert_eq!(report.measurement(), expected);
        }
    }

    #[test]
    fn what_is_not_an_executable_is_refused_before_anything_is_launched() {
        let host = SimulatedHost::new(Platform::new(Product::Milan, [1; 32])).unwrap();
        let image = Image { executable: b"#!/bin/sh", firmware: None, policy: POLICY, host_data: [0; 32] };
        assert!(host.launch(&image).unwrap_err().to_string().contains("ELF"));
    }
}
