// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A folder with a file for each part, whose files are replaced whole.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use evtpm_image::Part;
use rustix::fs::{AtFlags, Mode, OFlags, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::{Access, MAX_IMAGE, Medium};

pub(super) const LOCK: &str = ".lock";

/// A folder that is open.
#[derive(Debug)]
pub(super) struct FolderStore {
    path: PathBuf,
    folder: OwnedFd,
    mode: Mode,
    durable: bool,
    /// Held as long as the store lives.
    _lock: Option<File>,
}

impl FolderStore {
    /// Opens a folder that exists.
    pub(super) fn open(path: &Path, access: Access) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())
            .with_context(|| format!("--tpmstate: opening the folder {}", path.display()))?;
        let mode = Mode::from_raw_mode(access.mode);
        let lock = || {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let lock = File::from(openat(&folder, LOCK, flags, mode).context("--tpmstate: opening its lock")?);
            super::lock(&lock, path)?;
            Ok::<_, anyhow::Error>(lock)
        };
        let lock = access.lock.then(lock).transpose()?;
        Ok(Self { path: path.to_owned(), folder, mode, durable: access.durable, _lock: lock })
    }

    fn unlink(&self, name: &str) -> Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(io::Error::from(error)).with_context(|| format!("removing {name}")),
        }
    }
}

impl Medium for FolderStore {
    fn read(&self, part: Part) -> Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(&self.folder, name(part), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            file => File::from(file.with_context(|| format!("opening {}", self.name(part)))?),
        };
        let mut image = Vec::new();
        file.take(MAX_IMAGE as u64 + 1).read_to_end(&mut image).context("reading the state")?;
        anyhow::ensure!(image.len() <= MAX_IMAGE, "{} is too long", self.name(part));
        Ok(Some(image))
    }

    fn write(&self, part: Part, image: &[u8]) -> Result<()> {
        let (name, temporary) = (name(part), temporary_name(part));
        self.unlink(temporary)?;
        // A link that somebody planted in the place of the temporary file is an error (CVE-2020-28407).
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, temporary, flags, self.mode).context("making a state file")?);
        file.write_all(image).context("writing the state")?;
        if self.durable {
            file.sync_data().context("writing the state")?;
        }
        renameat(&self.folder, temporary, &self.folder, name).context("putting the state into its place")?;
        if self.durable { fsync(&self.folder).context("writing the folder of the state") } else { Ok(()) }
    }

    fn remove(&self, part: Part) -> Result<()> {
        self.unlink(name(part))
    }

    fn name(&self, part: Part) -> String {
        self.path.join(name(part)).display().to_string()
    }
}

/// Says how long the file of a part is, if there is one.
pub(super) fn kept_size(folder: &Path, part: Part) -> Option<u64> {
    folder.join(name(part)).symlink_metadata().ok().map(|metadata| metadata.len())
}

const fn name(part: Part) -> &'static str {
    match part {
        Part::Permanent => "tpm2-00.permall",
        Part::Volatile => "tpm2-00.volatilestate",
    }
}

const fn temporary_name(part: Part) -> &'static str {
    match part {
        Part::Permanent => "TMP2-00.permall",
        Part::Volatile => "TMP2-00.volatilestate",
    }
}
