// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm measure launch-secret`: a secret for a guest of SEV or SEV-ES, sealed and opened.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use evtpm_measure::sev::{MAX_SECRET, Secret, SecretTable, TransportKeys};

use super::attested::{key_file, measurement};
use crate::{Outcome, file};

/// A header is smaller than any secret, and a secret than this.
const LIMIT: u64 = MAX_SECRET as u64;

#[derive(Debug, Subcommand)]
pub(super) enum LaunchSecret {
    /// Seal a secret for the guest that gave this measurement, once that was checked.
    Seal {
        #[command(flatten)]
        channel: Channel,
        /// The secret as it is to lie in guest memory.
        #[arg(long, value_name = "FILE", required_unless_present = "entry", conflicts_with = "entry")]
        secret: Option<PathBuf>,
        /// A secret with its GUID, for the table that OVMF hands to the kernel; may be repeated.
        #[arg(long, value_name = "GUID:FILE", value_parser = entry)]
        entry: Vec<(u128, PathBuf)>,
    },
    /// Open a packet as the processor does, and write the secret to standard output.
    Open {
        #[command(flatten)]
        channel: Channel,
    },
}

/// The keys, the measurement, and where the packet is.
#[derive(Debug, Args)]
pub(super) struct Channel {
    /// The transport encryption key: a file of 16 bytes.
    #[arg(long, value_name = "FILE")]
    tek: PathBuf,
    /// The transport integrity key: a file of 16 bytes.
    #[arg(long, value_name = "FILE")]
    tik: PathBuf,
    /// What LAUNCH_MEASURE gave: 48 bytes in base64.
    #[arg(long, value_name = "BASE64")]
    measurement: String,
    /// The packet's header.
    #[arg(long, value_name = "FILE")]
    header: PathBuf,
    /// The packet's encrypted data.
    #[arg(long, value_name = "FILE")]
    packet: PathBuf,
}

impl LaunchSecret {
    pub(super) fn run(&self) -> Result<Outcome> {
        match self {
            Self::Seal { channel, secret, entry } => {
                let plain = match secret {
                    Some(path) => file::read(path, LIMIT)?.into(),
                    None => table(entry)?,
                };
                let mut iv = [0; 16];
                getrandom::fill(&mut iv).context("the system gives no randomness")?;
                let sealed = Secret::seal(&plain, &channel.measure()?, iv, &channel.keys()?)?;
                write(&channel.header, &sealed.header())?;
                write(&channel.packet, sealed.data())?;
                Ok(Outcome::Good)
            }
            Self::Open { channel } => {
                let (header, packet) = (file::read(&channel.header, LIMIT)?, file::read(&channel.packet, LIMIT)?);
                match Secret::from_parts(&header, &packet)?.open(&channel.measure()?, &channel.keys()?)? {
                    Some(plain) => {
                        std::io::stdout().write_all(&plain)?;
                        Ok(Outcome::Good)
                    }
                    None => {
                        eprintln!(
                            "evtpm: the packet was not sealed by these keys for this measurement, or was changed"
                        );
                        Ok(Outcome::NotTrusted)
                    }
                }
            }
        }
    }
}

impl Channel {
    fn keys(&self) -> Result<TransportKeys> {
        Ok(TransportKeys::new(&key_file(&self.tek)?, &key_file(&self.tik)?)?)
    }

    fn measure(&self) -> Result<[u8; 32]> {
        Ok(measurement(&self.measurement)?.measure)
    }
}

fn table(entries: &[(u128, PathBuf)]) -> Result<zeroize::Zeroizing<Vec<u8>>> {
    let mut table = SecretTable::new();
    for (name, path) in entries {
        table.add(*name, &file::read(path, LIMIT)?).with_context(|| path.display().to_string())?;
    }
    Ok(table.to_bytes()?)
}

fn entry(text: &str) -> Result<(u128, PathBuf)> {
    let (name, path) = text.split_once(':').context("not GUID:FILE")?;
    let digits = name.replace('-', "");
    anyhow::ensure!(digits.len() == 32, "{name:?} is no GUID");
    let name = u128::from_str_radix(&digits, 16).with_context(|| format!("{name:?} is no GUID"))?;
    Ok((name, PathBuf::from(path)))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}
