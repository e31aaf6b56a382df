// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The engine's values as bytes: each behind its 16-bit length, so that no value reads into the next one.

use alloc::vec::Vec;

use evtpm_engine::snapshot::{Archive, Invalid};
use evtpm_tpm_wire::{Overflow, Rc, Reader, Supported, Writer};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;

/// More than any single value takes; the longest is an object.
const MAX_VALUE: usize = 16 * 1024;

/// Room for one value at a time; wiped as far as it was used.
#[derive(Default)]
struct Scratch(Vec<u8>);

impl Scratch {
    fn new() -> Self {
        Self(alloc::vec![0; MAX_VALUE])
    }

    /// Writes a value and lends its length and its bytes.
    fn lend<T>(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Overflow>,
        used: impl FnOnce(&[u8], &[u8]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut writer = Writer::new(&mut self.0);
        let written = write(&mut writer);
        let size = writer.written();
        let result = match (written, u16::try_from(size)) {
            (Ok(()), Ok(length)) => used(&length.to_be_bytes(), self.0.get(..size).unwrap_or_default()),
            _ => Err(Error::TooLong),
        };
        self.0.get_mut(..size).unwrap_or_default().zeroize();
        result
    }
}

/// Looks whether values are those that were kept, and keeps nothing.
pub(crate) struct Comparer<'a> {
    rest: &'a [u8],
    scratch: Scratch,
}

impl<'a> Comparer<'a> {
    pub(crate) fn new(kept: &'a [u8]) -> Self {
        Self { rest: kept, scratch: Scratch::new() }
    }

    /// Tells whether everything that was kept has passed.
    pub(crate) const fn is_at_the_end(&self) -> bool {
        self.rest.is_empty()
    }
}

impl Archive for Comparer<'_> {
    type Error = Error;

    fn is_restoring(&self) -> bool {
        false
    }

    fn pass_with<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&T, &mut Writer<'_>) -> Result<(), Overflow>,
        _: impl FnOnce(&mut Reader<'_>) -> Result<T, Rc>,
    ) -> Result<Option<T>, Error> {
        let value = value.ok_or(Invalid::Value)?;
        let rest = self.rest;
        let behind = |length: &[u8], bytes: &[u8]| {
            rest.strip_prefix(length).and_then(|rest| rest.strip_prefix(bytes)).ok_or(Invalid::Value.into())
        };
        self.rest = self.scratch.lend(|writer| write(value, writer), behind)?;
        Ok(None)
    }

    fn octets(&mut self, octets: &mut [u8]) -> Result<(), Error> {
        self.rest = self.rest.strip_prefix(&*octets).ok_or(Invalid::Value)?;
        Ok(())
    }
}

/// Keeps copies of values.
pub(crate) struct Saver {
    bytes: Zeroizing<Vec<u8>>,
    /// Bytes that passed, kept or only counted.
    passed: usize,
    scratch: Scratch,
    counts_only: bool,
}

impl Saver {
    /// Lets values pass twice: once to count their bytes and once to keep them. A vector that grows would leave copies of
    /// secrets behind.
    pub(crate) fn save(mut pass: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let scratch = Scratch::new();
        let mut saver = Self { bytes: Zeroizing::default(), passed: 0, scratch, counts_only: true };
        pass(&mut saver)?;
        let size = saver.passed;
        saver.bytes.try_reserve_exact(size).map_err(|_| Invalid::OutOfMemory)?;
        (saver.passed, saver.counts_only) = (0, false);
        pass(&mut saver)?;
        if saver.bytes.len() == size { Ok(saver.bytes) } else { Err(Error::TooLong) }
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.passed = self.passed.checked_add(bytes.len()).ok_or(Error::TooLong)?;
        if self.counts_only {
            return Ok(());
        }
        if self.passed > self.bytes.capacity() {
            return Err(Error::TooLong);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

impl Archive for Saver {
    type Error = Error;

    fn is_restoring(&self) -> bool {
        false
    }

    fn pass_with<T>(
        &mut self,
        value: Option<&T>,
        write: impl FnOnce(&T, &mut Writer<'_>) -> Result<(), Overflow>,
        _: impl FnOnce(&mut Reader<'_>) -> Result<T, Rc>,
    ) -> Result<Option<T>, Error> {
        let value = value.ok_or(Invalid::Value)?;
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.lend(
            |writer| write(value, writer),
            |length, bytes| {
                self.keep(length)?;
                self.keep(bytes)
            },
        )?;
        self.scratch = scratch;
        Ok(None)
    }

    fn octets(&mut self, octets: &mut [u8]) -> Result<(), Error> {
        self.keep(octets)
    }
}

/// Gives back values that were kept.
pub(crate) struct Loader<'a> {
    rest: &'a [u8],
    size: usize,
    supported: &'a Supported,
}

impl<'a> Loader<'a> {
    pub(crate) fn new(bytes: &'a [u8], supported: &'a Supported) -> Self {
        Self { rest: bytes, size: bytes.len(), supported }
    }

    /// Checks that no byte is left.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::Leftover { bytes: self.rest.len() }) }
    }

    fn offset(&self) -> usize {
        self.size.saturating_sub(self.rest.len())
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Error> {
        let too_short = Error::Value { offset: self.offset(), rc: Rc::INSUFFICIENT };
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(too_short)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl Archive for Loader<'_> {
    type Error = Error;

    fn is_restoring(&self) -> bool {
        true
    }

    fn pass_with<T>(
        &mut self,
        _: Option<&T>,
        _: impl FnOnce(&T, &mut Writer<'_>) -> Result<(), Overflow>,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, Rc>,
    ) -> Result<Option<T>, Error> {
        let length = self.take(2)?.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        let offset = self.offset();
        let mut reader = Reader::new(self.take(length)?, self.supported);
        let value = read(&mut reader).and_then(|value| reader.finish().map(|()| value));
        value.map(Some).map_err(|rc| Error::Value { offset, rc })
    }

    fn octets(&mut self, octets: &mut [u8]) -> Result<(), Error> {
        let kept = self.take(octets.len())?;
        octets.iter_mut().zip(kept).for_each(|(to, from)| *to = *from);
        Ok(())
    }
}
