// SPDX-License-Identifier: Apache-2.0 OR MIT
//! [`Large`]: sized buffers of some thousand bytes, on the heap (decision 0003).
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize;

use crate::{Bytes, Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

/// Up to `MAX` owned bytes on the heap, with a 16-bit size on the wire; wiped when dropped.
///
/// Making one may fail, as memory may be short. So may copying one, and [`Clone`] cannot say so: a copy for which there
/// was no memory is *lost*. It holds nothing, equals nothing, not even itself, and does not marshal. [`Self::copy`] is
/// for places that keep or send the copy.
pub struct Large<const MAX: usize> {
    bytes: Vec<u8>,
    lost: bool,
}

impl<const MAX: usize> Large<MAX> {
    /// The buffer without content, which needs no memory.
    pub const EMPTY: Self = Self { bytes: Vec::new(), lost: false };

    /// The greatest number of bytes.
    pub const CAPACITY: usize = MAX;

    /// Copies `bytes`, if they fit and memory is there.
    pub fn new(bytes: &[u8]) -> Result<Self, Overflow> {
        let mut large = Self::zeros(bytes.len())?;
        large.bytes.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Ok(large)
    }

    /// Makes a buffer of `size` zero bytes, if they fit and memory is there.
    pub fn zeros(size: usize) -> Result<Self, Overflow> {
        let mut bytes = Vec::new();
        if size > MAX || size > usize::from(u16::MAX) {
            return Err(Overflow);
        }
        bytes.try_reserve_exact(size).map_err(|_| Overflow)?;
        for _ in 0..size {
            // Always true; the comparison lets the compiler drop the path that grows, and with it a panic.
            if bytes.len() < bytes.capacity() {
                bytes.push(0);
            }
        }
        Ok(Self { bytes, lost: false })
    }

    /// Copies the buffer, if memory is there.
    pub fn copy(&self) -> Result<Self, Overflow> {
        if self.lost { Err(Overflow) } else { Self::new(&self.bytes) }
    }

    /// Drops all bytes after the first `size`.
    pub fn truncate(&mut self, size: usize) {
        if let Some(rest) = self.bytes.get_mut(size..) {
            rest.zeroize();
        }
        self.bytes.truncate(size);
    }

    /// Returns whether this is a copy for which there was no memory.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes for change in place.
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Returns the number of bytes.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether there are no bytes.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<const MAX: usize> Default for Large<MAX> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const MAX: usize> Clone for Large<MAX> {
    fn clone(&self) -> Self {
        self.copy().unwrap_or(Self { bytes: Vec::new(), lost: true })
    }
}

impl<const MAX: usize> Drop for Large<MAX> {
    fn drop(&mut self) {
        self.bytes.as_mut_slice().zeroize();
    }
}

impl<const MAX: usize> PartialEq for Large<MAX> {
    fn eq(&self, other: &Self) -> bool {
        !self.lost && !other.lost && self.bytes == other.bytes
    }
}

impl<const MAX: usize> Eq for Large<MAX> {}

impl<const MAX: usize> AsRef<[u8]> for Large<MAX> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Shows the length alone.
impl<const MAX: usize> fmt::Debug for Large<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lost { f.write_str("Large(lost)") } else { write!(f, "Large({} bytes)", self.len()) }
    }
}

impl<'a, const MAX: usize> Unmarshal<'a> for Large<MAX> {
    const SIZED: bool = true;

    /// The bytes are counted first, so that no size alone makes an allocation.
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let bytes: Bytes<'a, MAX> = reader.read()?;
        Self::new(bytes.as_bytes()).map_err(|Overflow| Rc::MEMORY)
    }
}

impl<const MAX: usize> Marshal for Large<MAX> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        if self.lost {
            return Err(Overflow);
        }
        writer.write(&u16::try_from(self.bytes.len()).map_err(|_| Overflow)?)?;
        writer.bytes(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn it_is_read_like_any_sized_buffer() {
        let large: Large<8> = from_bytes(&[0, 3, 1, 2, 3], &Supported::ALL).unwrap();
        assert_eq!((large.as_bytes(), format!("{large:?}")), (&[1, 2, 3][..], "Large(3 bytes)".into()));
        assert_eq!(large.to_bytes(&mut [0; 5]), Ok(&[0, 3, 1, 2, 3][..]));
        assert_eq!(from_bytes::<Large<2>>(&[0, 3, 1, 2, 3], &Supported::ALL), Err(Rc::SIZE));
        assert_eq!(from_bytes::<Large<8>>(&[0, 4, 1, 2, 3], &Supported::ALL), Err(Rc::INSUFFICIENT));
    }

    #[test]
    fn a_lost_copy_equals_nothing_and_does_not_marshal() {
        let lost = Large::<8> { bytes: Vec::new(), lost: true };
        assert!(lost != lost.clone() && lost != Large::EMPTY && lost.clone().is_lost());
        assert_eq!(lost.to_bytes(&mut [0; 8]), Err(Overflow));
        assert_eq!(lost.copy(), Err(Overflow));
    }

    #[test]
    fn more_than_the_capacity_is_refused() {
        assert_eq!(Large::<8>::zeros(9), Err(Overflow));
        assert_eq!(Large::<8>::new(&[0; 8]).unwrap().len(), 8);
        assert!(size_of::<Large<8192>>() <= 4 * size_of::<usize>());
    }
}
