// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a TPM's state lies between two processes: in a folder or in one file, locked, and never reached through links.

mod file;
mod folder;

use std::fmt::Debug;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use evtpm_image::{Key, Part, Protection, State};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use file::FileStore;
use folder::FolderStore;

/// More than the state of any profile takes: a file that is longer is not ours.
pub const MAX_IMAGE: usize = 512 * 1024;

/// The state of one TPM. The names of its files are swtpm's; their content is not.
#[derive(Debug)]
pub struct Store {
    medium: Box<dyn Medium>,
    key: Option<Key>,
}

/// What keeps images by part. Whenever this process ends, a part is the old one or the new one, never anything between.
trait Medium: Debug + Send {
    fn read(&self, part: Part) -> Result<Option<Vec<u8>>>;
    fn write(&self, part: Part, image: &[u8]) -> Result<()>;
    fn remove(&self, part: Part) -> Result<()>;
    /// Names what holds a part, for complaints.
    fn name(&self, part: Part) -> String;
}

/// Where a state is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder that exists, with a file for each part.
    Folder(PathBuf),
    /// One file or block device for all parts; a file is made when it is not there.
    File(PathBuf),
}

/// How a place is used.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// The permissions of files that are made.
    pub mode: u32,
    /// Locks the place as long as the store lives, so that two processes never share a TPM.
    pub lock: bool,
    /// Brings each state to the disk before it is answered for: it survives a loss of power then, and not only the end of
    /// this process. A write takes milliseconds, which not every guest's driver waits for.
    pub durable: bool,
}

impl Default for Access {
    fn default() -> Self {
        Self { mode: 0o600, lock: true, durable: false }
    }
}

impl Store {
    /// Opens a place.
    ///
    /// # Errors
    /// When there is no such place, or another process has locked it.
    pub fn open(place: &Place, access: Access, key: Option<Key>) -> Result<Self> {
        let medium: Box<dyn Medium> = match place {
            Place::Folder(path) => Box::new(FolderStore::open(path, access)?),
            Place::File(path) => Box::new(FileStore::open(path, access)?),
        };
        Ok(Store { medium, key })
    }

    /// Lends the key that the state is encrypted with.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }

    /// Reads a part, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or is no state of ours under our key.
    pub fn load(&self, part: Part) -> Result<Option<State>> {
        let Some(image) = self.medium.read(part)? else { return Ok(None) };
        let state = State::from_image(&image, self.key.as_ref()).with_context(|| self.medium.name(part))?;
        anyhow::ensure!(state.part() == part, "{} holds another part", self.medium.name(part));
        Ok(Some(state))
    }

    /// Replaces a part.
    ///
    /// # Errors
    /// When the place cannot be written.
    pub fn save(&self, state: &State) -> Result<()> {
        self.medium.write(state.part(), &state.to_image(&protection(self.key.as_ref())?)?)
    }

    /// Removes a part, if there is one.
    ///
    /// # Errors
    /// When the place cannot be written.
    pub fn forget(&self, part: Part) -> Result<()> {
        self.medium.remove(part)
    }
}

/// Says how long a part is, if a place has it, without looking into it.
///
/// # Errors
/// When a file is none of ours.
pub fn kept_size(place: &Place, part: Part) -> Result<Option<u64>> {
    match place {
        Place::Folder(path) => Ok(folder::kept_size(path, part)),
        Place::File(path) => file::kept_size(path, part),
    }
}

/// Locks what stands for a place as long as it is open. Who held it may just be ending: QEMU's user starts it anew at once.
fn lock(file: &File, path: &Path) -> Result<()> {
    let begun = Instant::now();
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) if begun.elapsed() < LOCK_PATIENCE => std::thread::sleep(Duration::from_millis(10)),
            locked => return locked.with_context(|| format!("--tpmstate: another process uses {}", path.display())),
        }
    }
}

/// How long the process that holds a lock may take to end.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

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

    fn place(folder: &Folder) -> Place {
        Place::Folder(folder.path().to_owned())
    }

    #[test]
    fn what_was_saved_is_there_for_the_next_process() {
        let folder = Folder::new("store-saved");
        let state = state();
        let store = Store::open(&place(&folder), Access::default(), None).unwrap();
        assert_eq!(store.load(Part::Permanent).unwrap(), None);
        store.save(&state).unwrap();
        drop(store);
        let store = Store::open(&place(&folder), Access::default(), None).unwrap();
        assert_eq!(store.load(Part::Permanent).unwrap(), Some(state));
        assert_eq!(store.load(Part::Volatile).unwrap(), None);
        let file = folder.path().join("tpm2-00.permall");
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn one_file_holds_both_parts_and_a_key_seals_them() {
        let folder = Folder::new("store-file");
        let file = Place::File(folder.path().join("state"));
        let open =
            |key: Option<u8>| Store::open(&file, Access::default(), key.map(|byte| Key::new([byte; 32]))).unwrap();
        let mut tpm = Tpm::manufacture(HostedPlatform::new(), Profile::svsm()).unwrap();
        let (permanent, volatile) = (State::permanent(&mut tpm).unwrap(), State::volatile(&mut tpm).unwrap());
        let store = open(Some(7));
        store.save(&permanent).unwrap();
        store.save(&volatile).unwrap();
        drop(store);
        let store = open(Some(7));
        assert_eq!(store.load(Part::Permanent).unwrap(), Some(permanent));
        assert_eq!(store.load(Part::Volatile).unwrap(), Some(volatile));
        store.forget(Part::Volatile).unwrap();
        assert_eq!(store.load(Part::Volatile).unwrap(), None);
        drop(store);
        let error = open(Some(8)).load(Part::Permanent).unwrap_err();
        assert_eq!(error.root_cause().to_string(), evtpm_image::Error::WrongKey.to_string());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_used_by_one_process_at_a_time() {
        let folder = Folder::new("store-lock");
        let store = Store::open(&place(&folder), Access::default(), None).unwrap();
        let error = Store::open(&place(&folder), Access::default(), None).unwrap_err().to_string();
        assert!(error.contains("another process uses"), "{error}");
        drop(store);
        Store::open(&place(&folder), Access::default(), None).unwrap();
    }

    #[test]
    fn a_link_is_neither_read_nor_written_through() {
        let (folder, elsewhere) = (Folder::new("store-link"), Folder::new("store-elsewhere"));
        let target = elsewhere.path().join("target");
        std::fs::write(&target, b"precious").unwrap();
        for name in ["tpm2-00.permall", "TMP2-00.permall"] {
            std::os::unix::fs::symlink(&target, folder.path().join(name)).unwrap();
        }
        let store = Store::open(&place(&folder), Access::default(), None).unwrap();
        assert!(store.load(Part::Permanent).is_err());
        store.save(&state()).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
        assert!(store.load(Part::Permanent).unwrap().is_some());

        std::os::unix::fs::symlink(&target, elsewhere.path().join(folder::LOCK)).unwrap();
        assert!(Store::open(&place(&elsewhere), Access::default(), None).is_err());
    }

    #[test]
    fn a_key_makes_the_state_unreadable_without_it() {
        let folder = Folder::new("store-key");
        let store = Store::open(&place(&folder), Access::default(), Some(Key::new([7; 32]))).unwrap();
        store.save(&state()).unwrap();
        drop(store);
        let load = |key| {
            let store = Store::open(&place(&folder), Access::default(), key).unwrap();
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
        let store = Store::open(&place(&folder), Access::default(), None).unwrap();
        let error = store.load(Part::Permanent).unwrap_err();
        assert_eq!(error.root_cause().to_string(), evtpm_image::Error::NotAnImage.to_string());
        assert_eq!(std::fs::read(&file).unwrap(), [1, 2, 3]);
    }
}
