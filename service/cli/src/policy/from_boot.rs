// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy from-boot`: a policy from what is going to be booted, before anything booted.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use evtpm_appraise::Policy;
use evtpm_appraise::policy::{
    Bank, BootPolicy, CommandLineRule, FileDigest, HardwareRule, ProductName, SnpPolicy, TpmPolicy,
};
use evtpm_crypto::HashAlg;
use evtpm_logs::HashId;
use evtpm_measure::boot::{DirectBoot, Machine};

use crate::verify::args::{HexBytes, read};

#[derive(Debug, Args)]
pub(crate) struct FromBoot {
    /// The kernel that QEMU is given: a bzImage with an EFI stub.
    #[arg(long, value_name = "FILE")]
    kernel: PathBuf,
    /// The initial RAM disk that QEMU is given.
    #[arg(long, value_name = "FILE")]
    initrd: Option<PathBuf>,
    /// The command line that QEMU is given.
    #[arg(long, value_name = "TEXT", default_value = "", allow_hyphen_values = true)]
    command_line: String,
    /// The memory of the machine, as QEMU's -m has it: 512M, 4G.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: u64,
    /// The machine, which decides how much memory lies below 4 GiB.
    #[arg(long, value_enum, default_value = "q35", value_name = "MACHINE")]
    machine: MachineName,
    /// The bank that is quoted; may be repeated.
    #[arg(long, value_enum, default_value = "sha256", value_name = "HASH")]
    bank: Vec<BankName>,

    /// The launch measurement of an SEV-SNP guest, as `evtpm measure` predicts it.
    #[arg(long, value_name = "HEX", required_unless_present = "without_hardware", help_heading = "Hardware")]
    measurement: Option<HexBytes>,
    /// A product line of AMD that is accepted: Milan, Genoa, Turin, Venice; may be repeated.
    #[arg(long, value_name = "NAME", requires = "measurement", value_parser = super::product, help_heading = "Hardware")]
    product: Vec<ProductName>,
    /// A SIMULATED root that is accepted; may be repeated.
    #[arg(long, value_name = "NAME", requires = "measurement", help_heading = "Hardware")]
    simulated: Vec<String>,
    /// You vouch for the hardware: the policy asks for no report, and every result says so.
    #[arg(long, conflicts_with = "measurement", help_heading = "Hardware")]
    without_hardware: bool,

    /// Accept an attestation key that only you vouch for.
    #[arg(long)]
    allow_named_ak: bool,
    /// Accept a quote over a nonce that came with it.
    #[arg(long)]
    allow_recorded: bool,
    /// A name for people.
    #[arg(long, value_name = "TEXT", default_value = "")]
    name: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MachineName {
    Q35,
    Pc,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BankName {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl BankName {
    const fn algorithm(self) -> (HashId, HashAlg) {
        match self {
            Self::Sha1 => (HashId::SHA1, HashAlg::Sha1),
            Self::Sha256 => (HashId::SHA256, HashAlg::Sha256),
            Self::Sha384 => (HashId::SHA384, HashAlg::Sha384),
            Self::Sha512 => (HashId::SHA512, HashAlg::Sha512),
        }
    }
}

impl FromBoot {
    pub(super) fn run(&self) -> Result<()> {
        let (hardware, snp) = self.hardware()?;
        let tpm = TpmPolicy {
            banks: self.bank.iter().map(|bank| Bank(bank.algorithm().0)).collect(),
            allow_named_ak: self.allow_named_ak,
            allow_recorded: self.allow_recorded,
            ..TpmPolicy::default()
        };
        let policy = Policy {
            name: self.name.clone(),
            snp,
            tpm: Some(tpm),
            boot: Some(self.boot()?),
            ..Policy::empty(hardware)
        };
        super::write(&policy, &[])
    }

    fn hardware(&self) -> Result<(HardwareRule, Option<SnpPolicy>)> {
        let Some(measurement) = &self.measurement else { return Ok((HardwareRule::None, None)) };
        ensure!(
            !(self.product.is_empty() && self.simulated.is_empty()),
            "--product: name the processors whose reports are accepted"
        );
        let mut snp = SnpPolicy::new([0; 48]);
        snp.measurements = vec![measurement.exactly("--measurement")?];
        snp.products.clone_from(&self.product);
        snp.simulated.clone_from(&self.simulated);
        Ok((HardwareRule::Required, Some(snp)))
    }

    fn boot(&self) -> Result<BootPolicy> {
        let machine = match self.machine {
            MachineName::Q35 => Machine::Q35,
            MachineName::Pc => Machine::Pc,
        };
        let kernel = read(&self.kernel)?;
        let initrd = self.initrd.as_deref().map(read).transpose()?;
        let boot = DirectBoot {
            kernel: &kernel,
            initrd: initrd.as_deref(),
            command_line: &self.command_line,
            memory_below_4g: machine.memory_below_4g(self.memory),
        };
        let mut policy = BootPolicy {
            command_lines: vec![CommandLineRule::Exact(boot.loaded_command_line())],
            ..BootPolicy::default()
        };
        for (algorithm, hash) in self.bank.iter().map(|bank| bank.algorithm()) {
            let digest = boot.kernel_digest(hash).with_context(|| self.kernel.display().to_string())?;
            policy.applications.extend(FileDigest::new(algorithm, digest.as_bytes()));
            let initrd = boot.initrd_digest(hash);
            policy.loaded.extend(initrd.and_then(|digest| FileDigest::new(algorithm, digest.as_bytes())));
        }
        Ok(policy)
    }
}

/// Reads `512M`, `4G` or a number of MiB, as QEMU does.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "K" | "k" => 1 << 10,
        "M" | "m" | "" => 1 << 20,
        "G" | "g" => 1 << 30,
        "T" | "t" => 1 << 40,
        unit => return Err(format!("unknown unit \"{unit}\"")),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(unit))
        .ok_or_else(|| "not a size like 512M".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_qemu_reads_them() {
        assert_eq!(size("512"), Ok(512 << 20));
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("4g"), Ok(4 << 30));
        for text in ["", "M", "4X", "-1", "99999999999999999T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
