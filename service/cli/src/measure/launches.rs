// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm measure ovmf`, `igvm` and `svsm`: launches whose digest is predicted from image files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use evtpm_measure::igvm::{self, File, Loader, Platform};
use evtpm_measure::ovmf::{self, KernelHashes, Machine, Vmm};
use evtpm_measure::svsm;

use super::explain::Explained;
use super::{MAX_IMAGE, Mode, Output, cpu_signature, number};
use crate::{Outcome, file};

/// The largest kernel or initial RAM disk.
const MAX_KERNEL: u64 = 4 << 30;

#[derive(Debug, Args)]
pub(super) struct Ovmf {
    /// The firmware file.
    firmware: PathBuf,
    /// The protection of the guest.
    #[arg(long, value_enum, default_value = "snp")]
    mode: Mode,
    /// Who launches.
    #[arg(long, value_enum, default_value = "qemu")]
    vmm: VmmName,
    /// The number of virtual processors.
    #[arg(long, default_value_t = 1)]
    processors: u32,
    /// QEMU's model of the processor (EPYC-v4, EPYC-Milan) or its CPUID signature (0xa00f11).
    #[arg(long, value_name = "MODEL", value_parser = cpu_signature)]
    cpu: Option<u32>,
    /// SEV_FEATURES of every processor, with SEV-SNP.
    #[arg(long, value_name = "BITS", default_value = "1", value_parser = number)]
    sev_features: u64,
    /// The kernel that is loaded directly, whose hash the firmware checks.
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// Its initial RAM disk.
    #[arg(long, value_name = "FILE", requires = "kernel")]
    initrd: Option<PathBuf>,
    /// Its command line.
    #[arg(long, value_name = "TEXT", requires = "kernel", default_value = "")]
    append: String,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum VmmName {
    Qemu,
    Ec2,
    Gce,
}

impl Ovmf {
    pub(super) fn run(&self) -> Result<Outcome> {
        let firmware = file::read(&self.firmware, MAX_IMAGE)?;
        let kernel = self.kernel_hashes()?;
        let explained = match self.mode {
            Mode::Snp => {
                let vmm = match self.vmm {
                    VmmName::Qemu => Vmm::Qemu { cpu_signature: self.cpu()? },
                    VmmName::Ec2 => Vmm::Ec2,
                    VmmName::Gce => Vmm::Gce,
                };
                let (processors, sev_features) = (self.processors, self.sev_features);
                let machine = Machine { vmm, processors, sev_features, kernel: kernel.as_ref() };
                ovmf::launch(&firmware, &machine).map(|launch| Explained::snp(&launch))
            }
            Mode::Sev | Mode::SevEs => {
                ensure!(self.vmm == VmmName::Qemu, "SEV and SEV-ES launches are known of QEMU alone");
                let states = match self.mode {
                    Mode::SevEs => Some((self.processors, self.cpu()?)),
                    _ => None,
                };
                ovmf::sev_launch(&firmware, kernel.as_ref(), states).map(|launch| Explained::sev(&launch))
            }
        };
        explained.with_context(|| self.firmware.display().to_string())?.print(&self.output)?;
        Ok(Outcome::Good)
    }

    fn cpu(&self) -> Result<u32> {
        self.cpu.context("the state of a processor depends on its model: give --cpu")
    }

    fn kernel_hashes(&self) -> Result<Option<KernelHashes>> {
        let Some(kernel) = &self.kernel else { return Ok(None) };
        let read = |path: &Path| file::read(path, MAX_KERNEL);
        let initrd = self.initrd.as_deref().map(read).transpose()?.unwrap_or_default();
        Ok(Some(KernelHashes::new(&read(kernel)?, &initrd, &self.append)))
    }
}

#[derive(Debug, Args)]
pub(super) struct Igvm {
    /// The IGVM file.
    file: PathBuf,
    /// The protection of the guest.
    #[arg(long, value_enum, default_value = "snp")]
    mode: Mode,
    /// The loader hands pages without data over as zero pages, and not as normal pages of zeros.
    #[arg(long)]
    native_zero: bool,
    /// Refuse a file that KVM launches as something else: it measures one state, last, at its own address.
    #[arg(long)]
    check_kvm: bool,
    #[command(flatten)]
    output: Output,
}

impl Igvm {
    pub(super) fn run(&self) -> Result<Outcome> {
        let bytes = file::read(&self.file, MAX_IMAGE)?;
        let (explained, outcome) = self.explained(&bytes).with_context(|| self.file.display().to_string())?;
        explained.print(&self.output)?;
        Ok(outcome)
    }

    fn explained(&self, bytes: &[u8]) -> Result<(Explained, Outcome)> {
        let file = File::parse(bytes)?;
        let loader = Loader { native_zero: self.native_zero, kvm: self.check_kvm };
        let platform = match self.mode {
            Mode::Snp => Platform::SevSnp,
            Mode::SevEs => Platform::SevEs,
            Mode::Sev => Platform::Sev,
        };
        if self.mode != Mode::Snp {
            let launch = igvm::sev_launch(&file, platform, loader)?;
            return Ok((Explained::sev(&launch), Outcome::Good));
        }
        let launch = igvm::launch(&file, loader)?;
        let mut explained = Explained::snp(&launch);
        if let Some(policy) = file.policy(platform) {
            explained.fact("guest policy", format!("{policy:#x}"));
        }
        let Some(expected) = igvm::expected_digest(&file)? else { return Ok((explained, Outcome::Good)) };
        explained.fact("ID block", expected.to_string());
        if expected == launch.digest() {
            return Ok((explained, Outcome::Good));
        }
        eprintln!("evtpm: the ID block of the file expects another digest: {expected}");
        Ok((explained, Outcome::NotTrusted))
    }
}

#[derive(Debug, Args)]
pub(super) struct Svsm {
    /// The SVSM image.
    image: PathBuf,
    /// The guest's firmware.
    #[arg(long, value_name = "FILE")]
    firmware: PathBuf,
    /// The size of the variable store between the two, in bytes.
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = number)]
    variables: u64,
    /// The number of virtual processors.
    #[arg(long, default_value_t = 1)]
    processors: u32,
    /// QEMU's model of the processor (EPYC-v4, EPYC-Milan) or its CPUID signature (0xa00f11).
    #[arg(long, value_name = "MODEL", value_parser = cpu_signature)]
    cpu: u32,
    #[command(flatten)]
    output: Output,
}

impl Svsm {
    pub(super) fn run(&self) -> Result<Outcome> {
        let image = file::read(&self.image, MAX_IMAGE)?;
        let firmware = file::read(&self.firmware, MAX_IMAGE)?;
        let launch = svsm::launch(&image, &firmware, self.variables, self.processors, self.cpu)
            .with_context(|| self.image.display().to_string())?;
        Explained::snp(&launch).print(&self.output)?;
        Ok(Outcome::Good)
    }
}
