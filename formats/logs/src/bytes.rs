// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A cursor over little-endian log bytes that knows which record it is in.

use crate::{At, Error};

/// Reads little-endian integers and slices, and blames the record it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    record: u32,
    offset: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at `offset` of the whole log, in record `record`.
    pub(crate) const fn new(rest: &'a [u8], record: u32, offset: usize) -> Self {
        Cursor { rest, record, offset }
    }

    pub(crate) const fn at(&self) -> At {
        At { record: self.record, offset: self.offset }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, what: &'static str, length: usize) -> Result<&'a [u8], Error> {
        let Some((head, tail)) = self.rest.split_at_checked(length) else {
            return Err(Error::Truncated { at: self.at(), what, needed: length, available: self.rest.len() });
        };

        self.rest = tail;
        // The offset counts bytes of a slice that exists, so it stays below isize::MAX.
        self.offset = self.offset.saturating_add(length);
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Error> {
        let (at, available) = (self.at(), self.rest.len());
        let bytes = self.take(what, N)?;
        bytes.try_into().map_err(|_| Error::Truncated { at, what, needed: N, available })
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Error> {
        self.array(what).map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Error> {
        self.array(what).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Error> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, Error> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Reads a `u32` length and checks it against `limit` before anything is taken.
    pub(crate) fn length(&mut self, what: &'static str, limit: usize) -> Result<usize, Error> {
        let at = self.at();
        let length = usize::try_from(self.u32(what)?).unwrap_or(usize::MAX);
        if length > limit {
            return Err(Error::TooLong { at, what, length, limit });
        }

        Ok(length)
    }

    /// Reads a `u32` length and that many bytes.
    pub(crate) fn prefixed(&mut self, what: &'static str, limit: usize) -> Result<&'a [u8], Error> {
        let length = self.length(what, limit)?;
        self.take(what, length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_buffer_is_blamed_with_record_offset_and_sizes() {
        let mut cursor = Cursor::new(&[1, 2, 3], 7, 100);
        assert_eq!(cursor.u16("first"), Ok(0x0201));
        assert_eq!(
            cursor.u32("second"),
            Err(Error::Truncated { at: At { record: 7, offset: 102 }, what: "second", needed: 4, available: 1 })
        );
    }

    #[test]
    fn a_length_above_its_limit_takes_nothing() {
        let mut cursor = Cursor::new(&[5, 0, 0, 0, 9], 0, 0);
        assert_eq!(
            cursor.prefixed("data", 4),
            Err(Error::TooLong { at: At { record: 0, offset: 0 }, what: "data", length: 5, limit: 4 })
        );
        assert_eq!(cursor.rest(), &[9]);
    }
}
