// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads fields one after the other; nothing is taken that is not there.

use crate::Error;

/// Bytes that are still to be read.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, what: &'static str, count: usize) -> Result<&'a [u8], Error> {
        let truncated = Error::Truncated { what, needed: count, available: self.rest.len() };
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<&'a [u8; N], Error> {
        let truncated = Error::Truncated { what, needed: N, available: self.rest.len() };
        let (taken, rest) = self.rest.split_first_chunk().ok_or(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, Error> {
        let [byte] = self.array::<1>(what)?;
        Ok(*byte)
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, Error> {
        self.array(what).map(|bytes| u16::from_le_bytes(*bytes))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, Error> {
        self.array(what).map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// Takes as many bytes as the number in front of them says.
    pub(crate) fn prefixed_u32(&mut self, what: &'static str) -> Result<&'a [u8], Error> {
        let count = self.u32(what)?;
        self.take(what, usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Takes as many bytes as the number in front of them says.
    pub(crate) fn prefixed_u16(&mut self, what: &'static str) -> Result<&'a [u8], Error> {
        let count = self.u16(what)?;
        self.take(what, usize::from(count))
    }

    /// Refuses bytes that follow.
    pub(crate) fn finish(&self, what: &'static str) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::Trailing { what, count: self.rest.len() }) }
    }
}

/// Takes `N` bytes at an offset of a structure that is long enough; zeros where it is not.
pub(crate) fn field<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes.get(offset..).and_then(|tail| tail.first_chunk::<N>()).copied().unwrap_or([0; N])
}
