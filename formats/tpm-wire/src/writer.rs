// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writing: a cursor over a buffer that the caller owns.
use core::fmt;

/// A cursor over a buffer to be filled.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    written: usize,
}

/// The error of a buffer that is too small for what should be written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer is too small for the value")
    }
}

impl core::error::Error for Overflow {}

/// A value that can be written to the wire.
pub trait Marshal {
    /// Writes the value.
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow>;

    /// Writes the value to the start of `buffer` and returns the bytes written.
    fn to_bytes<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Overflow> {
        let mut writer = Writer::new(buffer);
        self.marshal(&mut writer)?;
        Ok(writer.into_written())
    }
}

impl<'a> Writer<'a> {
    /// Starts at the first byte of `buffer`.
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, written: 0 }
    }

    /// Returns how many bytes have been written.
    pub const fn written(&self) -> usize {
        self.written
    }

    /// Returns the bytes written so far.
    pub fn as_written(&self) -> &[u8] {
        self.buffer.get(..self.written).unwrap_or_default()
    }

    /// Returns the bytes written, with the buffer's lifetime.
    pub fn into_written(self) -> &'a [u8] {
        let buffer: &'a [u8] = self.buffer;
        buffer.get(..self.written).unwrap_or_default()
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        let end = self.written.checked_add(bytes.len()).ok_or(Overflow)?;
        let slot = self.buffer.get_mut(self.written..end).ok_or(Overflow)?;
        for (to, from) in slot.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.written = end;
        Ok(())
    }

    /// Writes one value.
    pub fn write(&mut self, value: &impl Marshal) -> Result<(), Overflow> {
        value.marshal(self)
    }

    /// Writes a 16-bit size and then the value that it counts.
    pub fn sized(&mut self, value: &impl Marshal) -> Result<(), Overflow> {
        let start = self.written;
        self.write(&0u16)?;
        let body = self.written;
        self.write(value)?;
        let size = self.written.checked_sub(body).and_then(|size| u16::try_from(size).ok()).ok_or(Overflow)?;
        self.patch(start, &size.to_be_bytes())
    }

    /// Overwrites bytes that were written at `position`.
    pub fn patch(&mut self, position: usize, bytes: &[u8]) -> Result<(), Overflow> {
        let end = position.checked_add(bytes.len()).filter(|end| *end <= self.written).ok_or(Overflow)?;
        let slot = self.buffer.get_mut(position..end).ok_or(Overflow)?;
        for (to, from) in slot.iter_mut().zip(bytes) {
            *to = *from;
        }
        Ok(())
    }
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl Marshal for $integer {
            fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
                writer.bytes(&self.to_be_bytes())
            }
        }
    )* };
}

integers! { u8 i8 u16 u32 i32 u64 }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_writes_nothing() {
        let mut buffer = [0; 3];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.write(&0x0102_0304u32), Err(Overflow));
        assert_eq!(writer.written(), 0);
        assert_eq!(writer.write(&0x0102u16), Ok(()));
        assert_eq!(writer.into_written(), [1, 2]);
    }

    #[test]
    fn sized_counts_the_value() {
        let mut buffer = [0; 8];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.sized(&7u32), Ok(()));
        assert_eq!(writer.into_written(), [0, 4, 0, 0, 0, 7]);
    }

    #[test]
    fn patch_reaches_only_what_was_written() {
        let mut buffer = [0; 8];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.write(&1u16), Ok(()));
        assert_eq!(writer.patch(1, &[9, 9]), Err(Overflow));
        assert_eq!(writer.patch(0, &[9, 9]), Ok(()));
        assert_eq!(writer.as_written(), [9, 9]);
    }
}
