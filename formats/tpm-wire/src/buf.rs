// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sized buffers (`TPM2B_*`): owned [`Buf`], owned and secret [`Secret`], borrowed [`Bytes`].
use core::fmt;

use zeroize::Zeroize;

use crate::{Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

/// Up to `N` owned bytes, with a 16-bit size on the wire.
#[derive(Clone, Copy)]
pub struct Buf<const N: usize> {
    size: u16,
    bytes: [u8; N],
}

impl<const N: usize> Buf<N> {
    /// The buffer without content.
    pub const EMPTY: Self = Self { size: 0, bytes: [0; N] };

    /// The greatest number of bytes that fits.
    pub const CAPACITY: usize = N;

    /// Copies `bytes`, if they fit.
    pub fn new(bytes: &[u8]) -> Result<Self, Overflow> {
        let mut buf = Self::EMPTY;
        buf.extend(bytes)?;
        Ok(buf)
    }

    /// Appends `bytes`, if they fit.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        let start = usize::from(self.size);
        let end = start.checked_add(bytes.len()).ok_or(Overflow)?;
        let slot = self.bytes.get_mut(start..end).ok_or(Overflow)?;
        let size = u16::try_from(end).map_err(|_| Overflow)?;
        for (to, from) in slot.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.size = size;
        Ok(())
    }

    /// Makes a buffer of `size` zero bytes, if they fit.
    pub fn zeros(size: usize) -> Result<Self, Overflow> {
        let size = u16::try_from(size).map_err(|_| Overflow)?;
        if usize::from(size) > N { Err(Overflow) } else { Ok(Self { size, bytes: [0; N] }) }
    }

    /// Drops all bytes after the first `size`.
    pub const fn truncate(&mut self, size: usize) {
        if size < self.size as usize {
            // Cannot truncate: `size` is less than a u16.
            #[expect(clippy::cast_possible_truncation, reason = "less than a u16, by the line above")]
            let size = size as u16;
            self.size = size;
        }
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.size)).unwrap_or_default()
    }

    /// Returns the bytes for change in place.
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..usize::from(self.size)).unwrap_or_default()
    }

    /// Returns the number of bytes.
    pub const fn len(&self) -> usize {
        self.size as usize
    }

    /// Returns whether there are no bytes.
    pub const fn is_empty(&self) -> bool {
        self.size == 0
    }
}

impl<const N: usize> Default for Buf<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> PartialEq for Buf<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl<const N: usize> Eq for Buf<N> {}

impl<const N: usize> AsRef<[u8]> for Buf<N> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<const N: usize> TryFrom<&[u8]> for Buf<N> {
    type Error = Overflow;

    fn try_from(bytes: &[u8]) -> Result<Self, Overflow> {
        Self::new(bytes)
    }
}

impl<const N: usize> fmt::Debug for Buf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(self.as_bytes(), f)
    }
}

impl<'a, const N: usize> Unmarshal<'a> for Buf<N> {
    const SIZED: bool = true;

    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        Self::new(reader.read::<Bytes<'a, N>>()?.as_bytes()).map_err(|Overflow| Rc::SIZE)
    }
}

impl<const N: usize> Marshal for Buf<N> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.size)?;
        writer.bytes(self.as_bytes())
    }
}

/// Up to `N` owned secret bytes: wiped when dropped, compared in constant time, not shown by `Debug`.
///
/// What is behind the content is zero, so that wiping takes as long as the content: most authValues are empty.
#[derive(Clone, Default)]
pub struct Secret<const N: usize>(Buf<N>);

impl<const N: usize> Secret<N> {
    /// The secret without content.
    pub const EMPTY: Self = Self(Buf::EMPTY);

    /// The greatest number of bytes that fits.
    pub const CAPACITY: usize = N;

    /// Copies `bytes`, if they fit.
    pub fn new(bytes: &[u8]) -> Result<Self, Overflow> {
        let mut secret = Self::EMPTY;
        secret.extend(bytes)?;
        Ok(secret)
    }

    /// Makes a secret of `size` zero bytes, to be filled in place.
    pub fn zeros(size: usize) -> Result<Self, Overflow> {
        Buf::zeros(size).map(Self)
    }

    /// Appends `bytes`, if they fit.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        self.0.extend(bytes)
    }

    /// Wipes all bytes after the first `size`.
    pub fn truncate(&mut self, size: usize) {
        self.as_mut_bytes().get_mut(size..).unwrap_or_default().zeroize();
        self.0.truncate(size);
    }

    /// Returns the secret bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns the secret bytes for change in place.
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        self.0.as_mut_bytes()
    }

    /// Returns the number of bytes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no bytes.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the secret without its trailing zero bytes (Part 1: they are not significant in an authValue).
    pub fn without_trailing_zeros(mut self) -> Self {
        let kept = self.significant_bytes().len();
        self.truncate(kept);
        self
    }

    /// Returns the secret bytes up to the last one that is not zero.
    pub fn significant_bytes(&self) -> &[u8] {
        let kept = self.as_bytes().iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
        self.as_bytes().get(..kept).unwrap_or_default()
    }
}

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        if !self.is_empty() {
            self.as_mut_bytes().zeroize();
            self.0.size.zeroize();
        }
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> AsRef<[u8]> for Secret<N> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.len())
    }
}

impl<'a, const N: usize> Unmarshal<'a> for Secret<N> {
    const SIZED: bool = true;

    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        reader.read().map(Self)
    }
}

impl<const N: usize> Marshal for Secret<N> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        self.0.marshal(writer)
    }
}

/// Up to `MAX` bytes that stay where they were received, with a 16-bit size on the wire.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes<'a, const MAX: usize>(&'a [u8]);

impl<'a, const MAX: usize> Bytes<'a, MAX> {
    /// The greatest number of bytes.
    pub const CAPACITY: usize = MAX;

    /// Borrows `bytes`, if they are not too many.
    pub const fn new(bytes: &'a [u8]) -> Result<Self, Overflow> {
        if bytes.len() > MAX || bytes.len() > u16::MAX as usize { Err(Overflow) } else { Ok(Self(bytes)) }
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// Returns the number of bytes.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no bytes.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> AsRef<[u8]> for Bytes<'_, MAX> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl<'a, const MAX: usize> TryFrom<&'a [u8]> for Bytes<'a, MAX> {
    type Error = Overflow;

    fn try_from(bytes: &'a [u8]) -> Result<Self, Overflow> {
        Self::new(bytes)
    }
}

/// Shows the length alone: what a command carries may be secret.
impl<const MAX: usize> fmt::Debug for Bytes<'_, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.len())
    }
}

impl<'a, const MAX: usize> Unmarshal<'a> for Bytes<'a, MAX> {
    const SIZED: bool = true;

    /// "TPM_RC_SIZE: the value of a size parameter is larger or smaller than allowed", before the bytes are counted.
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        let size = usize::from(reader.read::<u16>()?);
        if size > MAX {
            return Err(Rc::SIZE);
        }
        reader.take(size).map(Self)
    }
}

impl<const MAX: usize> Marshal for Bytes<'_, MAX> {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&u16::try_from(self.0.len()).map_err(|_| Overflow)?)?;
        writer.bytes(self.0)
    }
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn a_size_over_the_capacity_is_a_size_error_even_if_bytes_are_missing() {
        assert_eq!(from_bytes::<Buf<2>>(&[0, 3], &Supported::ALL), Err(Rc::SIZE));
    }

    #[test]
    fn missing_bytes_are_insufficient() {
        assert_eq!(from_bytes::<Buf<8>>(&[0, 3, 1, 2], &Supported::ALL), Err(Rc::INSUFFICIENT));
    }

    #[test]
    fn extend_over_the_capacity_changes_nothing() {
        let mut buf = Buf::<4>::new(&[1, 2, 3]).unwrap();
        assert_eq!(buf.extend(&[4, 5]), Err(Overflow));
        assert_eq!(buf.as_bytes(), [1, 2, 3]);
    }

    #[test]
    fn equality_ignores_what_was_truncated() {
        let mut buf = Buf::<4>::new(&[1, 2, 3]).unwrap();
        buf.truncate(1);
        assert_eq!(buf, Buf::new(&[1]).unwrap());
    }

    #[test]
    fn secret_debug_shows_no_content() {
        assert_eq!(format!("{:?}", Secret::<4>::new(&[0xAB, 0xCD]).unwrap()), "Secret(2 bytes)");
    }

    #[test]
    fn what_is_truncated_or_wiped_leaves_no_byte_behind() {
        let mut secret = Secret::<4>::new(&[1, 2, 3]).unwrap();
        secret.truncate(1);
        assert_eq!(secret.0.bytes, [1, 0, 0, 0]);
        secret.extend(&[4, 5]).unwrap();
        secret.zeroize();
        assert_eq!((secret.0.bytes, secret.len()), ([0; 4], 0));
    }

    #[test]
    fn trailing_zeros_of_a_secret_are_dropped_and_inner_ones_kept() {
        let secret = Secret::<8>::new(&[0, 7, 0, 0]).unwrap().without_trailing_zeros();
        assert_eq!(secret.as_bytes(), [0, 7]);
        assert!(Secret::<8>::new(&[0, 0]).unwrap().without_trailing_zeros().is_empty());
    }
}
