// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IMA's ASCII list, read on from where the last reader stopped: only new entries are formatted, sent and hashed.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The largest part of a list that is sent at once, in bytes.
const MAX_PART: usize = 64 << 20;

/// The list in securityfs. The file stays open between two reads, since Linux formats everything before the place that
/// is sought in a file that was just opened.
#[derive(Debug)]
pub struct ImaList {
    path: PathBuf,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: BufReader<File>,
    /// The newest entries that were read, which nobody has asked for yet.
    ahead: Vec<u8>,
    /// The number of the first of them.
    first: u64,
    /// The number of the entry that is read next.
    next: u64,
}

impl ImaList {
    /// Names the file; it is opened when it is asked for.
    pub fn new(path: &Path) -> Self {
        ImaList { path: path.to_owned(), open: None }
    }

    /// Returns the entries from number `first` on, and the number that they begin with: 0, and so all entries, where
    /// the list is shorter than that. `None` where there is no list, because IMA is off.
    ///
    /// # Errors
    /// Names the file that exists and cannot be read, or is too long.
    pub fn from(&mut self, first: u64) -> Result<Option<(String, u64)>> {
        let read = self.read(first);
        if read.is_err() {
            self.open = None;
        }
        read.with_context(|| format!("reading {}", self.path.display()))
    }

    /// Counts the entries; new ones stay for whoever asks for them. `None` where there is no list, because IMA is off.
    ///
    /// # Errors
    /// Names the file that exists and cannot be read.
    pub fn count(&mut self) -> Result<Option<u64>> {
        let counted = self.opened().and_then(|open| open.map(Open::count).transpose());
        if counted.is_err() {
            self.open = None;
        }
        counted.with_context(|| format!("reading {}", self.path.display()))
    }

    fn read(&mut self, first: u64) -> Result<Option<(String, u64)>> {
        let Some(open) = self.opened()? else { return Ok(None) };
        open.go_to(first)?;
        let begin = open.first;
        Ok(Some((open.rest()?, begin)))
    }

    /// Opens the file if it is not open yet.
    fn opened(&mut self) -> Result<Option<&mut Open>> {
        if self.open.is_none() {
            match File::open(&self.path) {
                Ok(file) => {
                    let (ahead, first, next) = Default::default();
                    self.open = Some(Open { file: BufReader::new(file), ahead, first, next });
                }
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.open.as_mut())
    }
}

impl Open {
    fn count(&mut self) -> Result<u64> {
        self.read_on()?;
        Ok(self.next)
    }

    /// Takes what begins with the entry that was gone to.
    fn rest(&mut self) -> Result<String> {
        let first = self.first;
        self.read_on()?;
        anyhow::ensure!(self.first == first, "the entries to send are longer than {MAX_PART} bytes");
        self.first = self.next;
        String::from_utf8(std::mem::take(&mut self.ahead)).context("an entry is not UTF-8")
    }

    /// Reads to the end, and keeps the newest entries, no more than may be sent at once.
    fn read_on(&mut self) -> Result<()> {
        while self.file.read_until(b'\n', &mut self.ahead)? > 0 {
            anyhow::ensure!(self.ahead.ends_with(b"\n"), "entry {} has no end", self.next);
            self.next += 1;
            if self.ahead.len() > MAX_PART {
                self.ahead.clear();
                self.first = self.next;
            }
        }
        Ok(())
    }

    /// Goes to an entry; to the beginning where the list is shorter.
    fn go_to(&mut self, entry: u64) -> Result<()> {
        if entry < self.first {
            self.rewind()?;
        }
        self.skip_to(entry)?;
        if self.first < entry {
            self.rewind()?;
        }
        Ok(())
    }

    /// Leaves away what comes before an entry.
    fn skip_to(&mut self, entry: u64) -> Result<()> {
        let lines = self.ahead.split_inclusive(|byte| *byte == b'\n');
        let skipped = usize::try_from(entry.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let bytes: usize = lines.take(skipped).map(<[u8]>::len).sum();
        self.ahead.drain(..bytes);
        self.first = entry.min(self.next);
        let mut line = Vec::new();
        while self.first < entry && self.file.read_until(b'\n', &mut line)? > 0 {
            line.clear();
            self.next += 1;
            self.first = self.next;
        }
        Ok(())
    }

    fn rewind(&mut self) -> Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.ahead.clear();
        (self.first, self.next) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A list that grows, in a file.
    struct Growing(PathBuf, File);

    impl Growing {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("evtpm-ima-{name}-{}", std::process::id()));
            let file = File::create(&path).unwrap();
            Growing(path, file)
        }

        fn add(&mut self, line: &str) {
            writeln!(self.1, "{line}").unwrap();
        }
    }

    impl Drop for Growing {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    #[test]
    fn only_new_entries_are_sent() {
        let mut file = Growing::new("new");
        let mut list = ImaList::new(&file.0);
        file.add("10 a");
        file.add("10 b");
        assert_eq!(list.from(0).unwrap(), Some(("10 a\n10 b\n".into(), 0)));
        assert_eq!(list.from(2).unwrap(), Some((String::new(), 2)));
        file.add("10 c");
        assert_eq!(list.from(2).unwrap(), Some(("10 c\n".into(), 2)));
    }

    #[test]
    fn whoever_asks_for_earlier_entries_gets_them() {
        let mut file = Growing::new("earlier");
        let mut list = ImaList::new(&file.0);
        for line in ["10 a", "10 b", "10 c"] {
            file.add(line);
        }
        list.from(0).unwrap();
        assert_eq!(list.from(1).unwrap(), Some(("10 b\n10 c\n".into(), 1)));
        assert_eq!(list.from(0).unwrap(), Some(("10 a\n10 b\n10 c\n".into(), 0)));
    }

    #[test]
    fn a_number_beyond_the_list_means_all_of_it() {
        let mut file = Growing::new("beyond");
        let mut list = ImaList::new(&file.0);
        file.add("10 a");
        assert_eq!(list.from(7).unwrap(), Some(("10 a\n".into(), 0)));
    }

    #[test]
    fn counted_entries_are_still_sent() {
        let mut file = Growing::new("count");
        let mut list = ImaList::new(&file.0);
        file.add("10 a");
        file.add("10 b");
        assert_eq!(list.count().unwrap(), Some(2));
        assert_eq!(list.from(0).unwrap(), Some(("10 a\n10 b\n".into(), 0)));
        file.add("10 c");
        assert_eq!(list.count().unwrap(), Some(3));
        assert_eq!(list.from(2).unwrap(), Some(("10 c\n".into(), 2)));
        assert_eq!(ImaList::new(Path::new("/nowhere/list")).count().unwrap(), None);
    }

    #[test]
    fn what_was_counted_is_not_read_again() {
        let mut file = Growing::new("once");
        let mut list = ImaList::new(&file.0);
        file.add("10 a");
        assert_eq!(list.count().unwrap(), Some(1));
        file.add("10 b");
        file.add("10 c");
        assert_eq!(list.count().unwrap(), Some(3));
        // Whatever is read from the file again is gone.
        file.1.set_len(0).unwrap();
        assert_eq!(list.from(1).unwrap(), Some(("10 b\n10 c\n".into(), 1)));
        assert_eq!(list.from(3).unwrap(), Some((String::new(), 3)));
    }

    #[test]
    fn without_ima_there_is_no_list() {
        assert_eq!(ImaList::new(Path::new("/nowhere/list")).from(0).unwrap(), None);
    }
}
