// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a TPM's state lies between two processes: a folder, locked, whose files are replaced whole and never through links.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use evtpm_image::{Key, Part, Protection, State};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, fsync, openat, renameat, unlinkat};
use rustix::io::Errno;

/// More than the state of any profile takes: a file that is longer is not ours.
pub const MAX_IMAGE: usize = 512 * 1024;

const LOCK: &str = ".lock";

/// A folder with the state of one TPM. The names of its files are swtpm's; their content is not.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    folder: OwnedFd,
    mode: Mode,
    key: Option<Key>,
    durable: bool,
    /// Held as long as the store lives: two processes never share a TPM.
    _lock: File,
}

impl Store {
    /// Opens a folder that exists, and locks it.
    ///
    /// # Errors
    /// When it is no folder, or another process has locked it.
    pub fn open(path: &Path, mode: u32, key: Option<Key>) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())
            .with_context(|| format!("--tpmstate: opening the folder {}", path.display()))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let lock = File::from(openat(&folder, LOCK, flags, mode).context("--tpmstate: opening its lock")?);
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .with_context(|| format!("--tpmstate: another process uses {}", path.display()))?;
        Ok(Store { path: path.to_owned(), folder, mode, key, durable: false, _lock: lock })
    }

    /// Brings each state to the disk before it is answered for: it survives a loss of power then, and not only the end of
    /// this process. A write takes milliseconds, which not every guest's driver waits for.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Lends the key that files are encrypted with.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Reads a part, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no state of ours under our key.
    pub fn load(&self, part: Part) -> Result<Option<State>> {
        let Some(image) = self.image(part)? else { return Ok(None) };
        let state = State::from_image(&image, self.key.as_ref())
            .with_context(|| format!("{}", self.path.join(name(part)).display()))?;
        anyhow::ensure!(state.part() == part, "{} holds another part", self.path.join(name(part)).display());
        Ok(Some(state))
    }

    /// Reads the file of a part as it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn image(&self, part: Part) -> Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match openat(&self.folder, name(part), flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            file => File::from(file.with_context(|| format!("opening {}", self.path.join(name(part)).display()))?),
        };
        let mut image = Vec::new();
        file.take(MAX_IMAGE as u64 + 1).read_to_end(&mut image).context("reading the state")?;
        anyhow::ensure!(image.len() <= MAX_IMAGE, "{} is too long", self.path.join(name(part)).display());
        Ok(Some(image))
    }

    /// Replaces the file of a part: whenever this process ends it holds the old state or the new one, never anything between.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, state: &State) -> Result<()> {
        let image = state.to_image(&protection(self.key.as_ref())?)?;
        let (name, temporary) = (name(state.part()), temporary_name(state.part()));
        self.remove(temporary)?;
        // A link that somebody planted in the place of the temporary file is an error (CVE-2020-28407).
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.folder, temporary, flags, self.mode).context("making a state file")?);
        file.write_all(&image).context("writing the state")?;
        if self.durable {
            file.sync_data().context("writing the state")?;
        }
        renameat(&self.folder, temporary, &self.folder, name).context("putting the state into its place")?;
        if self.durable { fsync(&self.folder).context("writing the folder of the state") } else { Ok(()) }
    }

    /// Removes the file of a part, if there is one.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn forget(&self, part: Part) -> Result<()> {
        self.remove(name(part))
    }

    fn remove(&self, name: &str) -> Result<()> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(io::Error::from(error)).with_context(|| format!("removing {name}")),
        }
    }
}

/// Says how long the file of a part is, if a folder has one, without looking into it.
#[must_use]
pub fn kept_size(folder: &Path, part: Part) -> Option<u64> {
    folder.join(name(part)).symlink_metadata().ok().map(|metadata| metadata.len())
}

/// Says how an image is to be protected: with a fresh salt where there is a key.
///
/// # Errors
/// When the kernel has no random numbers.
pub fn protection(key: Option<&Key>) -> Result<Protection<'_>> {
    let Some(key) = key else { return Ok(Protection::None) };
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).map_err(|error| anyhow::anyhow!("drawing a salt: {error}"))?;
    Ok(Protection::Sealed { key, salt })
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use evtpm_engine::{Profile, Tpm};

    use super::*;
    use crate::devices::platform::HostedPlatform;
    use crate::testing::Folder;

    fn state() -> State {
        State::permanent(&mut Tpm::manufacture(HostedPlatform::new(), Profile::svsm()).unwrap()).unwrap()
    }

    #[test]
    fn what_was_saved_is_there_for_the_next_process() {
        let folder = Folder::new("store-saved");
        let state = state();
        let store = Store::open(folder.path(), 0o600, None).unwrap();
        assert_eq!(store.load(Part::Permanent).unwrap(), None);
        store.save(&state).unwrap();
        drop(store);
        let store = Store::open(folder.path(), 0o600, None).unwrap();
        assert_eq!(store.load(Part::Permanent).unwrap(), Some(state));
        assert_eq!(store.load(Part::Volatile).unwrap(), None);
        let file = folder.path().join("tpm2-00.permall");
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_is_used_by_one_process_at_a_time() {
        let folder = Folder::new("store-lock");
        let store = Store::open(folder.path(), 0o600, None).unwrap();
        let error = Store::open(folder.path(), 0o600, None).unwrap_err().to_string();
        assert!(error.contains("another process uses"), "{error}");
        drop(store);
        Store::open(folder.path(), 0o600, None).unwrap();
    }

    #[test]
    fn a_link_is_neither_read_nor_written_through() {
        let (folder, elsewhere) = (Folder::new("store-link"), Folder::new("store-elsewhere"));
        let target = elsewhere.path().join("target");
        std::fs::write(&target, b"precious").unwrap();
        for name in ["tpm2-00.permall", "TMP2-00.permall"] {
            std::os::unix::fs::symlink(&target, folder.path().join(name)).unwrap();
        }
        let store = Store::open(folder.path(), 0o600, None).unwrap();
        assert!(store.load(Part::Permanent).is_err());
        store.save(&state()).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
        assert!(store.load(Part::Permanent).unwrap().is_some());

        std::os::unix::fs::symlink(&target, elsewhere.path().join(LOCK)).unwrap();
        assert!(Store::open(elsewhere.path(), 0o600, None).is_err());
    }

    #[test]
    fn a_key_makes_the_state_unreadable_without_it() {
        let folder = Folder::new("store-key");
        let store = Store::open(folder.path(), 0o600, Some(Key::new([7; 32]))).unwrap();
        store.save(&state()).unwrap();
        drop(store);
        let load = |key| {
            let store = Store::open(folder.path(), 0o600, key).unwrap();
            store.load(Part::Permanent).map(|state| state.is_some()).map_err(|error| error.root_cause().to_string())
        };
        assert_eq!(load(None), Err(evtpm_image::Error::KeyNeeded.to_string()));
        assert_eq!(load(Some(Key::new([8; 32]))), Err(evtpm_image::Error::WrongKey.to_string()));
        assert_eq!(load(Some(Key::new([7; 32]))), Ok(true));
    }

    #[test]
    fn the_state_of_another_program_is_refused_and_left_alone() {
        let folder = Folder::new("store-foreign");
        let file = folder.path().join("tpm2-00.permall");
        std::fs::write(&file, [1, 2, 3]).unwrap();
        let store = Store::open(folder.path(), 0o600, None).unwrap();
        let error = store.load(Part::Permanent).unwrap_err();
        assert_eq!(error.root_cause().to_string(), evtpm_image::Error::NotAnImage.to_string());
        assert_eq!(std::fs::read(&file).unwrap(), [1, 2, 3]);
    }
}
