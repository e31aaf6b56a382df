// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent enroll` and `unlock`: a LUKS2 volume whose key is released to an attested machine.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use super::SealedKey;
use super::luks::Volume;
use crate::broker::{BrokerArgs, release};

/// Give a LUKS2 volume a key that is sealed below a key of the broker: once, while the volume can be opened by other means.
///
/// The machine is attested first. Exit code 0 done, 3 not.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    disk: Disk,
    /// The name of the broker's key.
    #[arg(long, value_name = "NAME")]
    key: String,
    /// A file with a key or passphrase that opens the volume now.
    #[arg(long, value_name = "FILE")]
    existing_key_file: PathBuf,
}

/// Open a LUKS2 volume that was enrolled, in an initramfs for example.
///
/// The machine is attested first, and the broker releases its key on the verdict. Exit code 0 open, 3 not.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    disk: Disk,
    /// Open it as /dev/mapper/NAME.
    #[arg(long, value_name = "NAME", required_unless_present = "test")]
    name: Option<String>,
    /// Only say whether it would open.
    #[arg(long, conflicts_with = "name")]
    test: bool,
}

/// The volume.
#[derive(Debug, Args)]
struct Disk {
    /// The LUKS2 volume.
    #[arg(long, value_name = "FILE")]
    device: PathBuf,
    /// The program that handles LUKS2 (version 2.4 or later).
    #[arg(long, value_name = "PROGRAM", default_value = "cryptsetup")]
    cryptsetup: PathBuf,
}

impl Disk {
    fn volume(&self) -> Volume {
        Volume { device: self.device.clone(), cryptsetup: self.cryptsetup.clone() }
    }
}

/// Enrolls a volume.
///
/// # Errors
/// What keeps it from being done.
pub async fn enroll(args: &EnrollArgs) -> Result<()> {
    let volume = args.disk.volume();
    let known = volume.tokens()?;
    ensure!(
        known.iter().all(|token| token.key != args.key),
        "{} has a key below {} already",
        volume.device.display(),
        args.key
    );
    let (mut attester, parent) = release(&args.broker, &args.key).await?;
    let (sealed, disk_key) = SealedKey::make(attester.keys(), &parent, &args.key)?;
    // Before anything depends on it.
    let opened = sealed.open(attester.keys(), &parent)?;
    ensure!(opened == disk_key, "the TPM unsealed something else than it sealed");
    let sealed = volume.add(sealed, &disk_key, &args.existing_key_file)?;
    println!("{}: key slot {} opens with {}", volume.device.display(), sealed.keyslots.join(", "), args.key);
    Ok(())
}

/// Unlocks a volume.
///
/// # Errors
/// What keeps it from being opened.
pub async fn unlock(args: &UnlockArgs) -> Result<()> {
    let volume = args.disk.volume();
    let tokens = volume.tokens()?;
    let token = tokens
        .first()
        .with_context(|| format!("{} was not enrolled: it has no token of ours", volume.device.display()))?;
    let (mut attester, parent) = release(&args.broker, &token.key).await?;
    let disk_key = token.open(attester.keys(), &parent)?;
    volume.open(&disk_key, args.name.as_deref())?;
    match &args.name {
        Some(name) => println!("{} is /dev/mapper/{name}", volume.device.display()),
        None => println!("{} opens with {}", volume.device.display(), token.key),
    }
    Ok(())
}
