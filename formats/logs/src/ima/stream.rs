// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A binary list that comes in pieces of any size: memory for one entry, however long the list is.

use alloc::vec::Vec;

use crate::ima::{Entry, MAX_TEMPLATE_DATA, Step, next_entry};
use crate::{At, Error};

/// The most that an entry needs: its template data, and what stands before them.
const MAX_ENTRY: usize = MAX_TEMPLATE_DATA + 1024;

/// Reads a list piece by piece.
///
/// ```
/// use evtpm_logs::ima::Stream;
///
/// let mut list = vec![10, 0, 0, 0];
/// list.extend([0xAB; 20]);
/// list.extend(*b"\x06\0\0\0ima-ng");
/// list.extend(*b"\x27\0\0\0\x1a\0\0\0sha1:\0");
/// list.extend([0x11; 20]);
/// list.extend(*b"\x05\0\0\0/bin\0");
///
/// let (mut stream, mut paths) = (Stream::new(), Vec::new());
/// for piece in list.chunks(7) {
///     stream.feed(piece, |entry| Ok(paths.push(entry.path().to_vec())))?;
/// }
/// stream.finish()?;
/// assert_eq!(paths, [b"/bin"]);
/// # Ok::<(), evtpm_logs::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stream {
    next: Option<At>,
    /// The beginning of an entry whose end has not come yet.
    begun: Vec<u8>,
}

impl Stream {
    /// Starts at the beginning of a list whose template hashes are SHA-1.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a piece, and hands every entry that it completes to `each`; after an error the stream is of no use.
    pub fn feed(&mut self, piece: &[u8], mut each: impl FnMut(&Entry<'_>) -> Result<(), Error>) -> Result<(), Error> {
        if self.begun.is_empty() {
            let rest = self.read(piece, &mut each)?;
            self.begun.extend_from_slice(rest);
            return Ok(());
        }
        let mut bytes = core::mem::take(&mut self.begun);
        bytes.extend_from_slice(piece);
        let rest = self.read(&bytes, &mut each)?.len();
        let read = bytes.len().saturating_sub(rest);
        bytes.drain(..read);
        self.begun = bytes;
        Ok(())
    }

    /// Ends the list; refused in the middle of an entry.
    pub fn finish(self) -> Result<(), Error> {
        match next_entry(&self.begun, self.at(), 20) {
            Err(error) if !self.begun.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    fn at(&self) -> At {
        self.next.unwrap_or(At { record: 0, offset: 0 })
    }

    /// Reads whole entries and returns what is left.
    fn read<'a>(
        &mut self,
        mut bytes: &'a [u8],
        each: &mut impl FnMut(&Entry<'_>) -> Result<(), Error>,
    ) -> Result<&'a [u8], Error> {
        while !bytes.is_empty() {
            match next_entry(bytes, self.at(), 20) {
                Ok(Step { entry, rest, next }) => {
                    each(&entry)?;
                    self.next = Some(next);
                    bytes = rest;
                }
                // More may come, unless no entry is as long as what is there already.
                Err(Error::Truncated { .. }) if bytes.len() < MAX_ENTRY => break,
                Err(error) => return Err(error),
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ima::BinaryList;
    use crate::testing::evidence;

    fn entry(path: &[u8]) -> Vec<u8> {
        let name = [path, &[0]].concat();
        let data = [b"\x1a\0\0\0sha1:\0".as_slice(), &[7; 20], &(name.len() as u32).to_le_bytes(), &name].concat();
        let length = (data.len() as u32).to_le_bytes();
        [[10, 0, 0, 0].as_slice(), &[1; 20], b"\x06\0\0\0ima-ng", &length, &data].concat()
    }

    fn paths(list: &[u8], size: usize) -> Result<Vec<Vec<u8>>, Error> {
        let (mut stream, mut paths) = (Stream::new(), Vec::new());
        for piece in list.chunks(size) {
            stream.feed(piece, |entry| {
                paths.push(entry.path().to_vec());
                Ok(())
            })?;
        }
        stream.finish().map(|()| paths)
    }

    #[test]
    fn pieces_of_every_size_are_the_same_list() {
        let list = [entry(b"/a"), entry(b"/bin/sh"), entry(b"/lib/x")].concat();
        let whole = paths(&list, list.len()).unwrap();
        assert_eq!(whole, [b"/a".as_slice(), b"/bin/sh", b"/lib/x"]);
        assert!((1..list.len()).all(|size| paths(&list, size).as_ref() == Ok(&whole)));
    }

    #[test]
    fn a_list_that_ends_inside_an_entry_is_refused() {
        let list = [entry(b"/a"), entry(b"/b")].concat();
        let first = entry(b"/a").len();
        for length in 1..list.len() {
            assert_eq!(paths(&list[..length], 16).is_ok(), length == first, "{length}");
        }
    }

    #[test]
    fn an_entry_that_never_ends_is_refused_before_it_fills_the_memory() {
        let mut stream = Stream::new();
        let mut list = entry(b"/a");
        // The template data end before their field does: no more bytes can mend that.
        let field = list.len() - 40;
        list[field..].fill(0xFF);
        let mut refused = stream.feed(&list, |_| Ok(()));
        for _ in 0..(MAX_ENTRY >> 20) + 2 {
            refused = refused.and_then(|()| stream.feed(&[0; 1 << 20], |_| Ok(())));
        }
        assert!(refused.is_err());
    }

    #[test]
    fn a_recorded_list_streams_as_it_reads() {
        let Some(folder) = evidence() else { return };
        let list = std::fs::read(folder.join("vm-boot/app-good/boot/ima.bin")).unwrap();
        let whole: Vec<_> = BinaryList::new(&list).map(|entry| entry.unwrap().path().to_vec()).collect();
        assert_eq!(paths(&list, 1000).unwrap(), whole);
    }
}
