// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm-agent enroll` and `unlock`: a LUKS2 volume whose key is released to an attested machine.

use std::path::{Path, PathBuf};

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
    /// Write the sealed disk key into this new file, for the initramfs, instead of a token in the LUKS2 header.
    #[arg(long, value_name = "FILE")]
    sealed_key: Option<PathBuf>,
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
    /// Take the sealed disk key from this file instead of a token in the LUKS2 header.
    #[arg(long, value_name = "FILE")]
    sealed_key: Option<PathBuf>,
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
    if args.sealed_key.is_none() {
        let known = volume.tokens()?;
        let device = volume.device.display();
        ensure!(known.iter().all(|token| token.key != args.key), "{device} has a key below {} already", args.key);
    }
    let (mut attester, parent) = release(&args.broker, &args.key).await?;
    let (sealed, disk_key) = SealedKey::make(attester.keys(), &parent, &args.key)?;
    // Before anything depends on it.
    let opened = sealed.open(attester.keys(), &parent)?;
    ensure!(opened == disk_key, "the TPM unsealed something else than it sealed");
    let existing = &args.existing_key_file;
    let slots = match &args.sealed_key {
        Some(file) => add_with_file(&volume, &sealed, file, &disk_key, existing)?,
        None => volume.add(sealed, &disk_key, existing)?.keyslots,
    };
    println!("{}: key slot {} opens with {}", volume.device.display(), slots.join(", "), args.key);
    Ok(())
}

/// Adds a key slot whose sealed key is in a file. The file comes first: a slot that nothing opens would only be in the way.
fn add_with_file(
    volume: &Volume,
    sealed: &SealedKey,
    file: &Path,
    disk_key: &[u8],
    existing: &Path,
) -> Result<Vec<String>> {
    sealed.write(file)?;
    let added = volume.add_key(disk_key, existing);
    if added.is_err() {
        std::fs::remove_file(file).with_context(|| format!("removing {}", file.display()))?;
    }
    added
}

/// Unlocks a volume.
///
/// # Errors
/// What keeps it from being opened.
pub async fn unlock(args: &UnlockArgs) -> Result<()> {
    let volume = args.disk.volume();
    let sealed = match &args.sealed_key {
        Some(file) => SealedKey::read(file)?,
        None => {
            let enrolled = volume.tokens()?.into_iter().next();
            enrolled
                .with_context(|| format!("{} was not enrolled: it has no token of ours", volume.device.display()))?
        }
    };
    let (mut attester, parent) = release(&args.broker, &sealed.key).await?;
    let disk_key = sealed.open(attester.keys(), &parent)?;
    volume.open(&disk_key, args.name.as_deref())?;
    match &args.name {
        Some(name) => println!("{} is /dev/mapper/{name}", volume.device.display()),
        None => println!("{} opens with {}", volume.device.display(), sealed.key),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_does_not_stay_whose_slot_could_not_be_added() {
        let file = std::env::temp_dir().join(format!("evtpm-sealed-{}", std::process::id()));
        let sealed = SealedKey {
            kind: super::super::TOKEN_TYPE.into(),
            keyslots: Vec::new(),
            key: "disk".into(),
            public: vec![1].into(),
            private: vec![2].into(),
        };
        let volume = Volume { device: "/nonexistent".into(), cryptsetup: "/nonexistent/cryptsetup".into() };
        let error = add_with_file(&volume, &sealed, &file, &[0; 64], Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().contains("cryptsetup"), "{error}");
        sealed.write(&file).unwrap();
        assert_eq!(SealedKey::read(&file).unwrap(), sealed);
        assert!(sealed.write(&file).unwrap_err().to_string().contains("evtpm-sealed"), "it is there already");
        std::fs::write(&file, "{}").unwrap();
        assert!(SealedKey::read(&file).is_err());
        std::fs::remove_file(&file).unwrap();
    }
}
