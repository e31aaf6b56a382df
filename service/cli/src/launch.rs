// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A simulated launch of real bytes: an executable that plays VMPL 0, page by page, as a hypervisor would hand it over.
//!
//! The pages are those that `evtpm_measure::elf` predicts, laid out here by other code and another ELF parser: the launch
//! digest comes out of the simulated processor, the expected one out of the predictor.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use evtpm_snp::secrets::SecretsPage;
use evtpm_snp::vmsa::{SEV_FEATURE_SNP_ACTIVE, Vmsa};
use evtpm_snp::{GuestPolicy, PAGE_SIZE, PageType, U64};
use evtpm_sp_sim::{Host, LaunchFinish, LaunchStart, Platform, Processor};
use evtpm_sp_simd::{Channel, Firmware};
use evtpm_svsm::GuestChannel;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{LittleEndian, Object};

/// The policy of a guest that nobody may debug or migrate: SMT allowed, any ABI, reserved bit 17 set.
pub(crate) const POLICY: GuestPolicy = GuestPolicy(0x3_0000);

/// Where flash memory ends.
const FLASH_END: u64 = 1 << 32;

/// The address that KVM gives a VMSA.
const VMSA_GPA: u64 = 0xffff_ffff_f000;

type Page = [u8; PAGE_SIZE];

/// What is launched, and under which terms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image<'a> {
    /// The ELF executable that plays VMPL 0.
    pub(crate) executable: &'a [u8],
    /// The firmware of the guest, if there is one.
    pub(crate) firmware: Option<&'a [u8]>,
    /// The guest policy.
    pub(crate) policy: GuestPolicy,
    /// HOST_DATA.
    pub(crate) host_data: [u8; 32],
}

impl<'a> Image<'a> {
    /// An executable under the usual terms.
    pub(crate) fn new(executable: &'a [u8]) -> Self {
        Image { executable, firmware: None, policy: POLICY, host_data: [0; 32] }
    }
}

/// Powers a simulated platform on, with a host that hands out the right certificates.
pub(crate) fn host(platform: Platform) -> Result<Host> {
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).context("the system gives no randomness")?;
    let mut host = Host::new(Processor::new(platform, &entropy)?);
    let table = host.processor().certificate_table()?;
    host.install_certificates(table);
    Ok(host)
}

/// Launches an image and returns VMPL 0's channel to the processor, with what carries its messages.
pub(crate) fn launch<F: Firmware>(firmware: F, image: &Image<'_>) -> Result<(GuestChannel, Channel<F>)> {
    let (secrets, carrier) = launch_with_secrets(firmware, image)?;
    let [vmpck0, ..] = secrets.vmpck;
    let [messages, ..] = secrets.os_area.message_sequence;
    Ok((GuestChannel::new(vmpck0, 0, messages.get()), carrier))
}

/// As [`launch`], for one who plays another level than VMPL 0: the secrets page with the message keys of all levels.
pub(crate) fn launch_with_secrets<F: Firmware>(
    mut firmware: F,
    image: &Image<'_>,
) -> Result<(SecretsPage, Channel<F>)> {
    let pages = pages(image)?;
    let pages = pages.iter().map(|(page_type, gpa, page)| (*page_type, *gpa, &**page));
    let finish = LaunchFinish { identification: None, host_data: image.host_data };
    let launched = evtpm_sp_simd::launch(&mut firmware, &LaunchStart::new(image.policy), pages, &finish)
        .context("launching on the simulated processor")?;
    Ok((launched.secrets, Channel::new(firmware, launched.guest)))
}

/// All pages in the order of the launch.
fn pages(image: &Image<'_>) -> Result<Vec<(PageType, u64, Box<Page>)>> {
    let elf = ElfFile64::<LittleEndian>::parse(image.executable).context("the executable is not ELF64")?;
    let zero = || Box::new([0; PAGE_SIZE]);
    let mut pages = Vec::new();
    let mut behind = 0;
    for (gpa, contents) in layout(&elf)? {
        match contents {
            Some(contents) => pages.push((PageType::Normal, gpa, contents)),
            None => pages.push((PageType::Zero, gpa, zero())),
        }
        behind = gpa + PAGE_SIZE as u64;
    }
    if let Some(firmware) = image.firmware {
        let count = firmware.len().div_ceil(PAGE_SIZE) as u64;
        let start = FLASH_END.checked_sub(count * PAGE_SIZE as u64).context("the firmware is larger than 4 GiB")?;
        for (index, bytes) in (0..).zip(firmware.chunks(PAGE_SIZE)) {
            let mut page = zero();
            page[..bytes.len()].copy_from_slice(bytes);
            pages.push((PageType::Normal, start + index * PAGE_SIZE as u64, page));
        }
    }
    pages.push((PageType::Secrets, behind, zero()));
    pages.push((PageType::Cpuid, behind + PAGE_SIZE as u64, zero()));

    let mut state = Vmsa::qemu_bsp(0, SEV_FEATURE_SNP_ACTIVE);
    state.cs.base = U64::new(0);
    state.rip = U64::new(elf.entry());
    pages.push((PageType::Vmsa, VMSA_GPA, Box::new(*state.as_bytes())));
    Ok(pages)
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
        let mut address = start;
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = (address % page_size) as usize;
            let (now, later) = rest.split_at(rest.len().min(PAGE_SIZE - offset));
            let page = pages.entry(address - offset as u64).or_default();
            page.get_or_insert_with(|| Box::new([0; PAGE_SIZE]))[offset..offset + now.len()].copy_from_slice(now);
            address += now.len() as u64;
            rest = later;
        }
    }
    anyhow::ensure!(!pages.is_empty(), "the executable has nothing to load");
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use evtpm_snp::MessageType;
    use evtpm_snp::request::{KeySelect, ReportRequest, ReportResponse};
    use evtpm_sp_sim::Product;

    use super::*;

    #[test]
    fn the_processor_measures_what_the_predictor_says() {
        let executable = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for firmware in [None, Some(&[0x5a; 3 * PAGE_SIZE + 7][..])] {
            let host = host(Platform::new(Product::Genoa, [1; 32])).unwrap();
            let image = Image { firmware, ..Image::new(&executable) };
            let (mut channel, mut processor) = launch(host, &image).unwrap();
            let request = ReportRequest::new([0; 64], 0, KeySelect::Auto);
            let payload =
                channel.request(&mut processor, MessageType::ReportRequest, request.as_bytes(), None).unwrap();
            let report = ReportResponse::parse(payload).unwrap().unwrap();
            let expected = evtpm_measure::elf::launch(&executable, firmware).unwrap().digest();
            assert_eq!(report.measurement(), expected);
        }
    }

    #[test]
    fn what_is_not_an_executable_is_refused() {
        let host = host(Platform::new(Product::Milan, [1; 32])).unwrap();
        let error = launch(host, &Image::new(b"#!/bin/sh")).unwrap_err();
        assert!(error.to_string().contains("ELF"), "{error}");
    }
}
