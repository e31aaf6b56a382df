// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The engine's values as bytes: each behind its 16-bit length, so that no value reads into the next one.

use alloc::vec::Vec;

use evtpm_engine::snapshot::{Archive, Invalid};
use evtpm_tpm_wire::{Overflow, Rc, Reader, Supported, Writer};
use zeroize::{Zeroize, Zeroizing};

use crate::Error;

/// More than any single value takes; the longest is an object.
const MAX_VALUE: usize = 16 * 1024;

/// Keeps copies of values.
pub(crate) struct Saver {
    bytes: Zeroizing<Vec<u8>>,
    /// Bytes that passed, kept or only counted.
    passed: usize,
    value: Zeroizing<Vec<u8>>,
    counts_only: bool,
}

impl Saver {
    /// Lets values pass twice: once to count their bytes and once to keep them. A vector that grows would leave copies of
    /// secrets behind.
    pub(crate) fn save(mut pass: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<Zeroizing<Vec<u8>>, Error> {
        let value = Zeroizing::new(alloc::vec![0; MAX_VALUE]);
        let mut saver = Self { bytes: Zeroizing::default(), passed: 0, value, counts_only: true };
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
        let mut scratch = core::mem::take(&mut self.value);
        let mut writer = Writer::new(&mut scratch);
        write(value, &mut writer).map_err(|Overflow| Error::TooLong)?;
        let size = writer.written();
        let length = u16::try_from(size).map_err(|_| Error::TooLong)?;
        self.keep(&length.to_be_bytes())?;
        self.keep(scratch.get(..size).unwrap_or_default())?;
        scratch.get_mut(..size).unwrap_or_default().zeroize();
        self.value = scratch;
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
