// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading: a cursor over received bytes that knows which algorithms the TPM supports.
use crate::{Rc, Supported};

/// A cursor over received bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    supported: &'a Supported,
}

/// A value that can be read from the wire.
///
/// The error is the response code that Part 2 states for the type, without a subject.
pub trait Unmarshal<'a>: Sized {
    /// Whether the type begins with a 16-bit size and so may be encrypted as the first parameter (Part 1,
    /// "Session-based encryption").
    const SIZED: bool = false;

    /// Returns the greatest number of items in a list of this type, where the TPM's algorithms decide it.
    fn list_limit(_: &Supported) -> usize {
        usize::MAX
    }

    /// Reads one value.
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc>;
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    pub const fn new(bytes: &'a [u8], supported: &'a Supported) -> Self {
        Self { bytes, supported }
    }

    /// Starts at the first of `bytes` and accepts each algorithm that this crate knows.
    pub const fn permissive(bytes: &'a [u8]) -> Self {
        Self::new(bytes, &Supported::ALL)
    }

    /// Returns what the TPM supports.
    pub const fn supported(&self) -> &'a Supported {
        self.supported
    }

    /// Returns the bytes that have not been read yet.
    pub const fn remaining(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns whether all bytes have been read.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the next `size` bytes.
    pub const fn take(&mut self, size: usize) -> Result<&'a [u8], Rc> {
        match self.bytes.split_at_checked(size) {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(taken)
            }
            None => Err(Rc::INSUFFICIENT),
        }
    }

    /// Takes the next `N` bytes as an array.
    pub const fn array<const N: usize>(&mut self) -> Result<[u8; N], Rc> {
        match self.bytes.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.bytes = rest;
                Ok(*taken)
            }
            None => Err(Rc::INSUFFICIENT),
        }
    }

    /// Reads one value.
    pub fn read<T: Unmarshal<'a>>(&mut self) -> Result<T, Rc> {
        T::unmarshal(self)
    }

    /// Returns the next 16-bit number and does not move.
    pub fn peek_u16(&self) -> Result<u16, Rc> {
        self.clone().read()
    }

    /// Returns the next 32-bit number and does not move.
    pub fn peek_u32(&self) -> Result<u32, Rc> {
        self.clone().read()
    }

    /// Answers `TPM_RC_SIZE` if bytes are left.
    pub const fn finish(&self) -> Result<(), Rc> {
        if self.bytes.is_empty() { Ok(()) } else { Err(Rc::SIZE) }
    }
}

macro_rules! integers {
    ($($integer:ty)*) => { $(
        impl<'a> Unmarshal<'a> for $integer {
            fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
                reader.array().map(Self::from_be_bytes)
            }
        }
    )* };
}

integers! { u8 i8 u16 u32 i32 u64 }

/// Reads one value that must use up all of `bytes`; leftovers are `TPM_RC_SIZE`.
pub fn from_bytes<'a, T: Unmarshal<'a>>(bytes: &'a [u8], supported: &'a Supported) -> Result<T, Rc> {
    let mut reader = Reader::new(bytes, supported);
    let value = reader.read()?;
    reader.finish()?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_big_endian() {
        let mut reader = Reader::permissive(&[1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(reader.read::<u8>(), Ok(1));
        assert_eq!(reader.read::<u16>(), Ok(0x0203));
        assert_eq!(reader.read::<u32>(), Ok(0x0405_0607));
        assert_eq!(reader.read::<u8>(), Err(Rc::INSUFFICIENT));
    }

    #[test]
    fn a_failed_read_takes_nothing() {
        let mut reader = Reader::permissive(&[1, 2, 3]);
        assert_eq!(reader.read::<u32>(), Err(Rc::INSUFFICIENT));
        assert_eq!(reader.remaining(), [1, 2, 3]);
    }

    #[test]
    fn trailing_byte_is_a_size_error() {
        assert_eq!(from_bytes::<u16>(&[0, 1, 2], &Supported::ALL), Err(Rc::SIZE));
    }
}
