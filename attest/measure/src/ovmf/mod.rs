// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch of an OVMF firmware file by QEMU, EC2 or GCE: firmware pages, the sections of its SNP metadata, one state per processor.

mod footer;
mod kernel_hashes;

#[cfg(test)]
mod tests;

use evtpm_snp::{
    LaunchDigest, PAGE_SIZE, PageType, U16, U32, U64,
    vmsa::{BSP_RESET_EIP, Vmsa},
};

pub use footer::{Firmware, Section, SectionKind};
pub use kernel_hashes::KernelHashes;

use crate::{Error, Launch, SevLaunch};

pub(crate) use footer::svsm_entry;

/// The program that launches the guest: each gives processors another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vmm {
    /// QEMU with KVM.
    Qemu {
        /// CPUID Fn0000_0001_EAX of the processor model.
        cpu_signature: u32,
    },
    /// Amazon EC2.
    Ec2,
    /// Google Compute Engine.
    Gce,
}

/// Everything besides the firmware that decides about the digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine<'a> {
    /// Who launches.
    pub vmm: Vmm,
    /// The number of processors.
    pub processors: u32,
    /// SEV_FEATURES of every processor.
    pub sev_features: u64,
    /// The kernel that the firmware is to check, where one is loaded directly.
    pub kernel: Option<&'a KernelHashes>,
}

/// The processor signature that EC2 and GCE leave in RDX: KVM's default, family 6.
const FAMILY_6: u32 = 0x600;

/// The most processors of one guest.
const MAX_PROCESSORS: u32 = 4096;

/// Returns the pages of the launch of a firmware file.
pub fn launch(firmware: &[u8], machine: &Machine<'_>) -> Result<Launch, Error> {
    let parsed = Firmware::parse(firmware)?;
    let mut launch = Launch::new();
    launch.add_bytes(PageType::Normal, flash(firmware)?, firmware)?;
    add_sections_and_states(launch, &parsed, machine)
}

/// Returns the address of a firmware file, which QEMU maps so that it ends at 4 GiB.
pub(crate) fn flash(firmware: &[u8]) -> Result<u64, Error> {
    let length = u64::try_from(firmware.len()).unwrap_or(u64::MAX);
    (1u64 << 32).checked_sub(length).ok_or(Error::TooLarge { pages: length, limit: 1 << 32 })
}

/// Returns the pieces of a launch with SEV (without states) or SEV-ES (with them) by QEMU.
///
/// `states` is the number of processors and the CPUID signature of their model.
pub fn sev_launch(
    firmware: &[u8],
    kernel: Option<&KernelHashes>,
    states: Option<(u32, u32)>,
) -> Result<SevLaunch, Error> {
    let mut launch = SevLaunch::new();
    launch.add_data(flash(firmware)?, firmware)?;
    if let Some(kernel) = kernel {
        let parsed = Firmware::before_snp(firmware)?;
        launch.add_data(u64::from(parsed.hash_table()?), &kernel.table())?;
    }
    if let Some((processors, cpu_signature)) = states {
        check_processors(processors)?;
        // SEV_FEATURES is not part of an SEV-ES state.
        launch.add_vmsa(&Vmsa::qemu_reset(BSP_RESET_EIP, cpu_signature, 0))?;
        for _ in 1..processors {
            let entry = Firmware::before_snp(firmware)?.ap_entry()?;
            launch.add_vmsa(&Vmsa::qemu_reset(entry, cpu_signature, 0))?;
        }
    }
    Ok(launch)
}

/// Returns the pages of a launch whose firmware is known by its facts and by the digest after its own pages alone.
pub fn launch_after(pages: LaunchDigest, firmware: &Firmware, machine: &Machine<'_>) -> Result<Launch, Error> {
    add_sections_and_states(Launch::resume(pages), firmware, machine)
}

/// Adds what follows the firmware's own pages.
fn add_sections_and_states(mut launch: Launch, firmware: &Firmware, machine: &Machine<'_>) -> Result<Launch, Error> {
    check_processors(machine.processors)?;
    add_sections(&mut launch, firmware, machine)?;
    launch.add_vmsa(&machine.state(BSP_RESET_EIP))?;
    for _ in 1..machine.processors {
        launch.add_vmsa(&machine.state(firmware.ap_entry()?))?;
    }
    Ok(launch)
}

pub(crate) fn check_processors(processors: u32) -> Result<(), Error> {
    if processors == 0 || processors > MAX_PROCESSORS {
        return Err(Error::Invalid { what: "machine", detail: format!("{processors} processors") });
    }
    Ok(())
}

/// Adds the sections of the metadata.
pub(crate) fn add_sections(launch: &mut Launch, firmware: &Firmware, machine: &Machine<'_>) -> Result<(), Error> {
    if machine.kernel.is_some() && !firmware.sections().any(|section| section.kind == SectionKind::KernelHashes) {
        return Err(Error::Missing { what: "section for kernel hashes" });
    }
    for section in firmware.sections() {
        let pages = u64::from(section.size).div_ceil(PAGE_SIZE as u64);
        let gpa = u64::from(section.gpa);
        match (section.kind, machine.kernel) {
            (SectionKind::Memory, _) if machine.vmm == Vmm::Gce => {
                launch.add_zeros(PageType::Unmeasured, gpa, pages)?;
            }
            (SectionKind::Memory | SectionKind::SvsmCaa, _) | (SectionKind::KernelHashes, None) => {
                launch.add_zeros(PageType::Zero, gpa, pages)?;
            }
            (SectionKind::KernelHashes, Some(kernel)) => {
                let offset = firmware.hash_table_offset()?;
                launch.add_page(PageType::Normal, gpa, &kernel.page(offset)?)?;
            }
            (SectionKind::Secrets, _) => launch.add_zeros(PageType::Secrets, gpa, pages)?,
            (SectionKind::Cpuid, _) if machine.vmm == Vmm::Ec2 => {}
            (SectionKind::Cpuid, _) => launch.add_zeros(PageType::Cpuid, gpa, pages)?,
        }
    }
    // EC2 hands over the CPUID page after all other sections.
    for section in firmware.sections().filter(|section| section.kind == SectionKind::Cpuid) {
        if machine.vmm == Vmm::Ec2 {
            launch.add_zeros(
                PageType::Cpuid,
                u64::from(section.gpa),
                u64::from(section.size).div_ceil(PAGE_SIZE as u64),
            )?;
        }
    }
    Ok(())
}

impl Machine<'_> {
    /// The state of a processor that starts at `eip`.
    fn state(&self, eip: u32) -> Vmsa {
        match self.vmm {
            Vmm::Qemu { cpu_signature } => Vmsa::qemu_reset(eip, cpu_signature, self.sev_features),
            Vmm::Ec2 => {
                let mut state = Vmsa::qemu_reset(eip, FAMILY_6, self.sev_features);
                let code = if eip == BSP_RESET_EIP { 0x9a } else { 0x9b };
                state.cs.attributes = U16::new(code);
                state.ss.attributes = U16::new(0x92);
                state.tr.attributes = U16::new(0x83);
                without_floating_point(state)
            }
            Vmm::Gce => {
                let mut state = Vmsa::qemu_reset(eip, FAMILY_6, self.sev_features);
                state.g_pat = U64::new(0x0007_0106);
                without_floating_point(state)
            }
        }
    }
}

fn without_floating_point(mut state: Vmsa) -> Vmsa {
    state.mxcsr = U32::new(0);
    state.x87_fcw = U16::new(0);
    state
}
