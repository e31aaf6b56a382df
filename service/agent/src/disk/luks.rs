// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A LUKS2 volume, through `cryptsetup`: the header's format and the kernel's device mapper are its business.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::sealed::{SealedKey, TOKEN_TYPE};

/// An initramfs without udev has no /dev/stdin.
const STANDARD_INPUT: &str = "/proc/self/fd/0";

/// A volume, and the program that knows how to handle it.
#[derive(Debug, Clone)]
pub struct Volume {
    /// The block device, or the file of an image.
    pub device: PathBuf,
    /// `cryptsetup`, version 2.4 or later.
    pub cryptsetup: PathBuf,
}

/// As much of the header's JSON as is looked at.
#[derive(Deserialize)]
struct Metadata {
    keyslots: BTreeMap<String, serde::de::IgnoredAny>,
    tokens: BTreeMap<String, Box<RawValue>>,
}

/// What every token has.
#[derive(Deserialize)]
struct AnyToken {
    #[serde(rename = "type")]
    kind: String,
}

impl Volume {
    /// Returns our tokens.
    ///
    /// # Errors
    /// When this is no LUKS2 volume, or a token of ours is malformed.
    pub fn tokens(&self) -> Result<Vec<SealedKey>> {
        let mut ours = Vec::new();
        for token in self.metadata()?.tokens.values() {
            if serde_json::from_str::<AnyToken>(token.get())?.kind == TOKEN_TYPE {
                let token = serde_json::from_str(token.get());
                ours.push(token.with_context(|| format!("a token in {}", self.device.display()))?);
            }
        }
        Ok(ours)
    }

    /// Adds a key slot for a disk key, and its token. `existing` is the file of a key that opens the volume already.
    ///
    /// # Errors
    /// What `cryptsetup` says.
    pub fn add(&self, mut sealed: SealedKey, disk_key: &[u8], existing: &Path) -> Result<SealedKey> {
        sealed.keyslots = self.add_key(disk_key, existing)?;
        let mut import = self.command("token");
        import.arg("import").args(["--json-file", "-"]).arg(&self.device);
        run(&mut import, &serde_json::to_vec(&sealed)?)?;
        Ok(sealed)
    }

    /// Adds a key slot for a disk key alone, and returns its number. `existing` is the file of a key that opens the volume already.
    ///
    /// # Errors
    /// What `cryptsetup` says.
    pub fn add_key(&self, disk_key: &[u8], existing: &Path) -> Result<Vec<String>> {
        let before = self.metadata()?;
        // The key is random in all its bits: stretching it would make nothing safer.
        let stretching = ["--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];
        let mut add = self.command("luksAddKey");
        add.args(stretching).arg("--key-file").arg(existing).arg(&self.device).arg(STANDARD_INPUT);
        run(&mut add, disk_key)?;
        let slots = self.metadata()?.keyslots.into_keys();
        let added: Vec<String> = slots.filter(|slot| !before.keyslots.contains_key(slot)).collect();
        ensure!(!added.is_empty(), "cryptsetup added no key slot to {}", self.device.display());
        Ok(added)
    }

    /// Opens the volume as /dev/mapper/`name`; without a name, says only whether the key would open it.
    ///
    /// # Errors
    /// What `cryptsetup` says.
    pub fn open(&self, disk_key: &[u8], name: Option<&str>) -> Result<()> {
        let mut open = self.command("open");
        open.args(["--type", "luks2", "--key-file", "-"]).arg(&self.device);
        match name {
            Some(name) => open.arg(name),
            None => open.arg("--test-passphrase"),
        };
        run(&mut open, disk_key).map(drop)
    }

    fn metadata(&self) -> Result<Metadata> {
        let mut dump = self.command("luksDump");
        let json = run(dump.arg("--dump-json-metadata").arg(&self.device), b"")?;
        serde_json::from_slice(&json).with_context(|| format!("the LUKS2 header of {}", self.device.display()))
    }

    fn command(&self, action: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(&self.cryptsetup);
        command.arg(action);
        command
    }
}

/// Closes /dev/mapper/`name`; while it is in use, takes its key out of the kernel's memory and lets its users wait.
pub(crate) fn close(cryptsetup: &Path, name: &str) -> Result<()> {
    let closed = run(Command::new(cryptsetup).args(["close", name]), b"");
    let Err(error) = closed else { return Ok(()) };
    run(Command::new(cryptsetup).args(["luksSuspend", name]), b"").map(drop).with_context(|| format!("{error:#}"))
}

/// Runs a program with some input, and returns what it prints.
fn run(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    // A key fits into the pipe; a program that does not read it says by its exit what it wants.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input));
    let output = child.wait_with_output().with_context(|| format!("waiting for {program}"))?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    written.with_context(|| format!("writing to {program}"))?;
    Ok(output.stdout)
}
