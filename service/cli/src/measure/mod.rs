// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm measure`: the launch digest that files lead to, for a policy, and what SEV attests before a guest starts.

mod attested;
mod explain;
mod launches;
mod secret;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};

use crate::{Outcome, file};
use explain::Explained;

/// The largest firmware, SVSM, executable or IGVM file.
const MAX_IMAGE: u64 = 256 << 20;

/// Predict launch measurements from files.
///
/// Without a kind it is that of an executable that plays VMPL 0, as `evtpm tpm serve --svsm` launches itself.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Measure {
    #[command(flatten)]
    executable: Executable,
    #[command(subcommand)]
    kind: Option<Kind>,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Predict the launch of an OVMF firmware with SEV-SNP, SEV-ES or SEV.
    Ovmf(launches::Ovmf),
    /// Predict the launch of an IGVM file, such as that of COCONUT-SVSM.
    Igvm(launches::Igvm),
    /// Predict the launch of an SVSM image and an OVMF firmware by QEMU.
    Svsm(launches::Svsm),
    /// Compute or check what SEV and SEV-ES attest before the guest starts (LAUNCH_MEASURE).
    LaunchMeasure(attested::LaunchMeasure),
    /// Make or open the packet with a secret for a guest that was attested (LAUNCH_SECRET).
    #[command(subcommand)]
    LaunchSecret(secret::LaunchSecret),
}

#[derive(Debug, Args)]
struct Executable {
    /// The ELF executable; this one unless given.
    #[arg(long, value_name = "FILE")]
    executable: Option<PathBuf>,
    /// The guest's firmware that is launched with it.
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// How a prediction is printed.
#[derive(Debug, Args)]
struct Output {
    /// List the ranges that the digest is made of: what of each counts, the digest before and after it.
    #[arg(long)]
    explain: bool,
    /// Print JSON, ranges included.
    #[arg(long)]
    json: bool,
}

/// The kind of protection that a launch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// SEV-SNP: SHA-384, page by page, with addresses and types.
    Snp,
    /// SEV-ES: SHA-256 over the loaded bytes and the processors' states.
    SevEs,
    /// SEV: SHA-256 over the loaded bytes.
    Sev,
}

pub(crate) fn run(command: &Measure) -> Result<Outcome> {
    match &command.kind {
        None => command.executable.run(),
        Some(Kind::Ovmf(ovmf)) => ovmf.run(),
        Some(Kind::Igvm(igvm)) => igvm.run(),
        Some(Kind::Svsm(svsm)) => svsm.run(),
        Some(Kind::LaunchMeasure(attested)) => attested.run(),
        Some(Kind::LaunchSecret(secret)) => secret.run(),
    }
}

impl Executable {
    fn run(&self) -> Result<Outcome> {
        let executable = match &self.executable {
            Some(path) => file::read(path, MAX_IMAGE)?,
            None => crate::sp::this_executable()?,
        };
        let firmware = self.firmware.as_deref().map(|path| file::read(path, MAX_IMAGE)).transpose()?;
        let launch = evtpm_measure::elf::launch(&executable, firmware.as_deref())?;
        Explained::snp(&launch).print(&self.output)?;
        Ok(Outcome::Good)
    }
}

/// Reads a number that may be hexadecimal.
fn number(text: &str) -> Result<u64> {
    let parsed = text.strip_prefix("0x").map_or_else(|| text.parse(), |digits| u64::from_str_radix(digits, 16));
    parsed.with_context(|| format!("{text:?} is no number"))
}

/// Reads so many bytes in hexadecimal.
fn bytes<const N: usize>(text: &str) -> Result<[u8; N]> {
    let bytes = hex::decode(text).with_context(|| format!("{text:?} is not hexadecimal"))?;
    let length = bytes.len();
    bytes.try_into().ok().with_context(|| format!("{length} bytes instead of {N}"))
}

/// Reads the name of a processor model or a CPUID signature.
fn cpu_signature(text: &str) -> Result<u32> {
    if let Some(signature) = evtpm_measure::cpu::signature(text) {
        return Ok(signature);
    }
    let models: Vec<_> = evtpm_measure::cpu::models().collect();
    let signature = number(text).ok().and_then(|signature| u32::try_from(signature).ok());
    signature.with_context(|| format!("neither a signature nor one of the models {}", models.join(", ")))
}
