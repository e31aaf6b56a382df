// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One file or block device with all parts, written in place: whoever names a device, or a file in a folder that may not be
//! written, gets nothing replaced.
//!
//! There are two halves, and a write goes to the half that is not in force: first the parts, then the header that puts them in
//! force. Header: magic (8 bytes), number of the write (8), length of the permanent part and of the volatile part (4 each, 0 where there
//! is none), SHA-256 of the parts (32), the first 8 bytes of the SHA-256 of all that; numbers are big-endian. The permanent part
//! follows, then the volatile one.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_image::Part;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Access, MAX_IMAGE, Medium};

/// A file that is open.
#[derive(Debug)]
pub(super) struct FileStore {
    path: PathBuf,
    file: File,
    /// Where the second half begins.
    half: u64,
    durable: bool,
}

impl FileStore {
    /// Opens a file, makes it when it is not there, and gives it its size.
    pub(super) fn open(path: &Path, access: Access) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::from_raw_mode(access.mode))
            .with_context(|| format!("--tpmstate: opening {}", path.display()))?;
        let file = File::from(file);
        if access.lock {
            super::lock(&file, path)?;
        }
        let half = half(&file).with_context(|| format!("--tpmstate: {}", path.display()))?;
        let store = Self { path: path.to_owned(), file, half, durable: access.durable };
        // What is none of ours keeps its size, too.
        store.in_force()?;
        if !is_device(&store.file)? && store.file.metadata()?.len() < 2 * HALF {
            store.file.set_len(2 * HALF).with_context(|| format!("--tpmstate: enlarging {}", path.display()))?;
        }
        Ok(store)
    }

    /// Finds the half that was written last.
    fn in_force(&self) -> Result<Option<Half>> {
        in_force(&self.file, self.half).with_context(|| self.path.display().to_string())
    }

    /// Reads the parts of a half.
    fn parts(&self, half: Option<&Half>) -> Result<[Vec<u8>; 2]> {
        let Some(half) = half else { return Ok([Vec::new(), Vec::new()]) };
        let read = |from, length: u32| {
            let mut bytes = vec![0; length as usize];
            self.file.read_exact_at(&mut bytes, from).context("reading the state")?;
            Ok::<_, anyhow::Error>(bytes)
        };
        let [permanent, volatile] = half.header.lengths;
        let from = half.at + SIZE as u64;
        let parts = [read(from, permanent)?, read(from + u64::from(permanent), volatile)?];
        anyhow::ensure!(digest(&parts) == half.header.digest, "{} is damaged", self.path.display());
        Ok(parts)
    }

    /// Puts something else in the place of a part.
    fn replace(&self, part: Part, image: Vec<u8>) -> Result<()> {
        let last = self.in_force()?;
        let mut parts = self.parts(last.as_ref())?;
        parts[index(part)] = image;
        let [permanent, volatile] = &parts;
        let length = SIZE + permanent.len() + volatile.len();
        anyhow::ensure!(length as u64 <= self.half, "{} is too small for the state", self.path.display());
        let header = Header {
            number: last.as_ref().map_or(1, |half| half.header.number + 1),
            lengths: [u32::try_from(permanent.len())?, u32::try_from(volatile.len())?],
            digest: digest(&parts),
        };
        let at = if last.is_some_and(|half| half.at == 0) { self.half } else { 0 };
        self.write_all(&parts.concat(), at + SIZE as u64)?;
        self.write_all(&header.to_bytes(), at)
    }

    fn write_all(&self, bytes: &[u8], at: u64) -> Result<()> {
        self.file.write_all_at(bytes, at).context("writing the state")?;
        if self.durable { self.file.sync_data().context("writing the state") } else { Ok(()) }
    }
}

impl Medium for FileStore {
    fn read(&self, part: Part) -> Result<Option<Vec<u8>>> {
        let half = self.in_force()?;
        let [permanent, volatile] = self.parts(half.as_ref())?;
        let image = if part == Part::Permanent { permanent } else { volatile };
        Ok(if image.is_empty() { None } else { Some(image) })
    }

    fn write(&self, part: Part, image: &[u8]) -> Result<()> {
        self.replace(part, image.to_vec())
    }

    fn remove(&self, part: Part) -> Result<()> {
        let is_there = self.in_force()?.is_some_and(|half| half.header.lengths[index(part)] > 0);
        if is_there { self.replace(part, Vec::new()) } else { Ok(()) }
    }

    fn name(&self, part: Part) -> String {
        format!("{} ({part:?})", self.path.display())
    }
}

/// Says how long a part is, if the file is there and has it.
pub(super) fn kept_size(path: &Path, part: Part) -> Result<Option<u64>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        file => File::from(file.with_context(|| format!("--tpmstate: opening {}", path.display()))?),
    };
    let half = half(&file).and_then(|half| in_force(&file, half)).with_context(|| path.display().to_string())?;
    let length = half.map_or(0, |half| half.header.lengths[index(part)]);
    Ok(if length == 0 { None } else { Some(length.into()) })
}

/// A half with a header.
#[derive(Debug)]
struct Half {
    at: u64,
    header: Header,
}

/// What says where the parts of a half end, and which half is in force.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    number: u64,
    lengths: [u32; 2],
    digest: [u8; 32],
}

impl Header {
    fn to_bytes(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        let fields: [&[u8]; 5] = [
            &MAGIC,
            &self.number.to_be_bytes(),
            &self.lengths[0].to_be_bytes(),
            &self.lengths[1].to_be_bytes(),
            &self.digest,
        ];
        bytes[..CHECKED].copy_from_slice(&fields.concat());
        let check = sha256(&[&bytes[..CHECKED]]);
        bytes[CHECKED..].copy_from_slice(&check[..SIZE - CHECKED]);
        bytes
    }

    /// Reads a header that was written to its end.
    fn from_bytes(bytes: &[u8; SIZE]) -> Option<Self> {
        let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let header = Self {
            number: u64::from(number(8)?) << 32 | u64::from(number(12)?),
            lengths: [number(16)?, number(20)?],
            digest: bytes.get(24..CHECKED)?.try_into().ok()?,
        };
        (header.to_bytes() == *bytes).then_some(header)
    }
}

/// Bytes of a header, and how many of them its check covers.
const SIZE: usize = 64;
const CHECKED: usize = 56;

const MAGIC: [u8; 8] = *b"EVTPMST\x01";

/// Half of a file. A block device has what it has.
const HALF: u64 = MAX_IMAGE as u64;

/// Finds out where the second half begins.
fn half(file: &File) -> Result<u64> {
    if !is_device(file)? {
        anyhow::ensure!(file.metadata()?.is_file(), "is neither a file nor a block device");
        return Ok(HALF);
    }
    // No metadata tell the size of a device.
    let size = { file }.seek(SeekFrom::End(0)).context("finding the size of the device")?;
    // Both halves begin where a page does.
    let half = HALF.min(size / 2) & !4095;
    anyhow::ensure!(half > 0, "a device of {size} bytes is too small");
    Ok(half)
}

fn is_device(file: &File) -> Result<bool> {
    Ok(file.metadata()?.file_type().is_block_device())
}

/// Finds the half that was written last; none where nothing was written yet.
fn in_force(file: &File, half: u64) -> Result<Option<Half>> {
    let mut last: Option<Half> = None;
    let mut is_blank = true;
    for at in [0, half] {
        let mut bytes = [0; SIZE];
        // A file that is shorter was never written.
        let read = read_at(file, &mut bytes, at)?;
        is_blank &= bytes[..read].iter().all(|byte| *byte == 0);
        let Some(header) = Header::from_bytes(&bytes) else { continue };
        anyhow::ensure!(header.lengths.iter().all(|length| u64::from(*length) <= half), "is damaged");
        if last.as_ref().is_none_or(|other| other.header.number < header.number) {
            last = Some(Half { at, header });
        }
    }
    if last.is_none() && !is_blank {
        bail!("holds no state of ours");
    }
    Ok(last)
}

/// Reads as much as there is.
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> Result<usize> {
    let mut filled = 0;
    while let rest @ [_, ..] = &mut bytes[filled..] {
        match file.read_at(rest, at + filled as u64).context("reading the state")? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

const fn index(part: Part) -> usize {
    match part {
        Part::Permanent => 0,
        Part::Volatile => 1,
    }
}

fn digest(parts: &[Vec<u8>; 2]) -> [u8; 32] {
    sha256(&[&parts[0], &parts[1]])
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(RustCrypto::hash(HashAlg::Sha256, parts).as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    fn open(path: &Path) -> FileStore {
        FileStore::open(path, Access::default()).unwrap()
    }

    #[test]
    fn parts_are_replaced_and_removed_one_by_one() {
        let folder = Folder::new("file-parts");
        let path = folder.path().join("state");
        let store = open(&path);
        assert_eq!(store.read(Part::Permanent).unwrap(), None);
        store.write(Part::Permanent, b"first").unwrap();
        store.write(Part::Volatile, b"volatile").unwrap();
        store.write(Part::Permanent, b"the second").unwrap();
        drop(store);
        let store = open(&path);
        assert_eq!(store.read(Part::Permanent).unwrap().unwrap(), b"the second");
        assert_eq!(store.read(Part::Volatile).unwrap().unwrap(), b"volatile");
        assert_eq!(kept_size(&path, Part::Volatile).unwrap(), Some(8));
        store.remove(Part::Volatile).unwrap();
        assert_eq!(store.read(Part::Volatile).unwrap(), None);
        assert_eq!(kept_size(&path, Part::Volatile).unwrap(), None);
        assert_eq!(store.read(Part::Permanent).unwrap().unwrap(), b"the second");
    }

    #[test]
    fn a_write_that_never_ended_is_forgotten() {
        let folder = Folder::new("file-torn");
        let path = folder.path().join("state");
        let store = open(&path);
        for content in [b"one", b"two"] {
            store.write(Part::Permanent, content).unwrap();
        }
        // The second half is in force: a third write has begun in the first, and ended before or within its header.
        store.file.write_all_at(b"thr", SIZE as u64).unwrap();
        assert_eq!(store.read(Part::Permanent).unwrap().unwrap(), b"two");
        store.file.write_all_at(&[9; 20], 8).unwrap();
        assert_eq!(store.read(Part::Permanent).unwrap().unwrap(), b"two");
        store.write(Part::Permanent, b"four").unwrap();
        assert_eq!(store.read(Part::Permanent).unwrap().unwrap(), b"four");
    }

    #[test]
    fn damage_to_what_is_in_force_is_told_and_not_healed_with_the_past() {
        let folder = Folder::new("file-damaged");
        let path = folder.path().join("state");
        let store = open(&path);
        for content in [b"one", b"two"] {
            store.write(Part::Permanent, content).unwrap();
        }
        store.file.write_all_at(b"X", HALF + SIZE as u64).unwrap();
        let error = store.read(Part::Permanent).unwrap_err().to_string();
        assert!(error.contains("is damaged"), "{error}");
    }

    #[test]
    fn the_file_of_another_program_is_refused_and_left_alone() {
        let folder = Folder::new("file-foreign");
        let path = folder.path().join("state");
        std::fs::write(&path, b"precious").unwrap();
        let error = format!("{:#}", FileStore::open(&path, Access::default()).unwrap_err());
        assert!(error.contains("holds no state of ours"), "{error}");
        assert!(kept_size(&path, Part::Permanent).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_state_that_does_not_fit_changes_nothing() {
        let folder = Folder::new("file-large");
        let path = folder.path().join("state");
        let store = open(&path);
        store.write(Part::Permanent, b"small").unwrap();
        assert!(store.write(Part::Volatile, &vec![1; MAX_IMAGE]).is_err());
        assert_eq!(store.read(Part::Permanent).unwrap().unwrap(), b"small");
        assert_eq!(store.read(Part::Volatile).unwrap(), None);
    }

    #[test]
    fn a_file_is_used_by_one_process_at_a_time_unless_both_want_no_lock() {
        let folder = Folder::new("file-lock");
        let path = folder.path().join("state");
        let store = open(&path);
        let error = FileStore::open(&path, Access::default()).unwrap_err().to_string();
        assert!(error.contains("another process uses"), "{error}");
        FileStore::open(&path, Access { lock: false, ..Access::default() }).unwrap();
        drop(store);
        open(&path);
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = Folder::new("file-link");
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(FileStore::open(&link, Access::default()).is_err());
        assert!(kept_size(&link, Part::Permanent).is_err());
        assert!(!target.exists());
        assert!(FileStore::open(Path::new("/dev/null"), Access::default()).is_err());
    }
}
