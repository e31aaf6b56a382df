// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A private key of any size, in the memory in which it is loaded or searched for and in which it works.

use super::generate::KeySearch;
use super::private::PrivateKey;
use super::words::to_be_bytes;
use crate::{CryptoError, Rng};
use core::fmt;
use zeroize::{Zeroize, Zeroizing};

/// What makes up a private key where it is stored (`TPM2B_PRIVATE_KEY_RSA` with its public area); numbers are big-endian.
#[derive(Clone, Copy)]
pub struct RsaKey<'a> {
    /// The modulus.
    pub modulus: &'a [u8],
    /// The public exponent.
    pub exponent: u32,
    /// One of the two primes.
    pub prime: &'a [u8],
}

impl fmt::Debug for RsaKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey").field("bytes", &self.modulus.len()).finish_non_exhaustive()
    }
}

/// A private key of 1024, 2048, 3072 or 4096 bits, or the room for one; wiped on drop.
///
/// It has some 11 KiB, which are all that its operations need beside a few numbers on the stack: whoever has little stack
/// keeps one of these elsewhere and loads each key there. As long as there is no key, no operation succeeds.
#[derive(Clone, Default)]
pub struct RsaPrivate {
    size: Size,
}

/// Its tag is a word, so that a room of zeros begins on a word too, and is written where it stays.
#[derive(Clone, Default)]
#[expect(clippy::large_enum_variant, reason = "room for the largest key is what this is for")]
#[repr(u64)]
enum Size {
    #[default]
    Empty,
    Rsa1024(Room<8, 16>),
    Rsa2048(Room<16, 32>),
    Rsa3072(Room<24, 48>),
    Rsa4096(Room<32, 64>),
}

/// A key, and the search for it.
#[derive(Clone)]
struct Room<const H: usize, const F: usize> {
    key: PrivateKey<H, F>,
    search: KeySearch<H>,
}

impl<const H: usize, const F: usize> Room<H, F> {
    const EMPTY: Self = Self { key: PrivateKey::EMPTY, search: KeySearch::EMPTY };
}

impl<const H: usize, const F: usize> Zeroize for Room<H, F> {
    fn zeroize(&mut self) {
        self.key.zeroize();
        self.search.zeroize();
    }
}

impl Drop for RsaPrivate {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Runs an expression in the room, whatever its size; without one there is another result.
macro_rules! in_room {
    ($size:expr, $room:ident => $body:expr, $otherwise:expr) => {
        match $size {
            Size::Empty => $otherwise,
            Size::Rsa1024($room) => $body,
            Size::Rsa2048($room) => $body,
            Size::Rsa3072($room) => $body,
            Size::Rsa4096($room) => $body,
        }
    };
}

impl RsaPrivate {
    /// Prepares a key in the place of the one that was here.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`] unless the modulus has 1024, 2048, 3072 or 4096 bits,
    /// [`CryptoError::RsaExponent`] unless the exponent is odd and at least three,
    /// [`CryptoError::RsaKeyInconsistent`] unless the prime has half the size, divides the modulus, and both its
    /// factors are odd with an exponent that can be inverted. Primality is the key generator's promise: a composite
    /// factor is found when the first private operation fails its check.
    pub fn load(&mut self, key: RsaKey<'_>) -> Result<(), CryptoError> {
        let leading = key.modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = key.modulus.get(leading..).unwrap_or_default();
        self.make_room(modulus.len().saturating_mul(8))?;
        let loaded = in_room!(&mut self.size, room => room.key.load(modulus, key.exponent, key.prime), Ok(()));
        loaded.inspect_err(|_| self.clear())
    }

    /// Begins to generate a key in the place of the one that was here.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`] unless there are 1024, 2048, 3072 or 4096 bits, [`CryptoError::RsaExponent`]
    /// unless the exponent is a prime above 2^16 (FIPS 186-5, "The RSA Digital Signature Algorithm", criteria for e, which
    /// take any odd number).
    pub fn search(&mut self, bits: usize, exponent: u32) -> Result<(), CryptoError> {
        self.make_room(bits)?;
        in_room!(&mut self.size, room => room.search.begin(exponent), Ok(()))
    }

    /// Does one step of a search, one sieved window or one modular power, and says whether it was the last one. Another
    /// step after that begins another key.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`], or [`CryptoError::RsaNoPrime`] and [`CryptoError::RsaFault`], which no working
    /// generator of random bytes on a working processor can bring about.
    pub fn step(&mut self, rng: &mut dyn Rng) -> Result<bool, CryptoError> {
        in_room!(&mut self.size, room => room.search.step(&mut room.key, rng), Err(CryptoError::RsaKeyInconsistent))
    }

    /// Generates a key with all steps at once.
    ///
    /// # Errors
    /// Those of [`RsaPrivate::search`] and [`RsaPrivate::step`].
    pub fn generate(&mut self, bits: usize, exponent: u32, rng: &mut dyn Rng) -> Result<(), CryptoError> {
        self.search(bits, exponent)?;
        while !self.step(rng)? {}
        Ok(())
    }

    /// Wipes the key.
    pub fn clear(&mut self) {
        in_room!(&mut self.size, room => room.zeroize(), ());
        self.size = Size::Empty;
    }

    fn make_room(&mut self, bits: usize) -> Result<(), CryptoError> {
        self.clear();
        match bits {
            1024 => self.put(|| Size::Rsa1024(Room::EMPTY)),
            2048 => self.put(|| Size::Rsa2048(Room::EMPTY)),
            3072 => self.put(|| Size::Rsa3072(Room::EMPTY)),
            4096 => self.put(|| Size::Rsa4096(Room::EMPTY)),
            _ => return Err(CryptoError::RsaKeySize { bits }),
        }
        Ok(())
    }

    #[inline(never)] // Zeros are written where they stay; with all sizes in one function they would be moved there.
    fn put(&mut self, size: impl FnOnce() -> Size) {
        self.size = size();
    }

    /// Returns the number of bytes of the modulus, zero without a key.
    #[must_use]
    pub fn size(&self) -> usize {
        in_room!(&self.size, room => room.key.public.modulus.value().len().wrapping_mul(8), 0)
    }

    /// Returns the public exponent, zero without a key.
    #[must_use]
    pub fn exponent(&self) -> u32 {
        in_room!(&self.size, room => room.key.public.exponent, 0)
    }

    /// Writes the big-endian modulus.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the buffer has [`RsaPrivate::size`] bytes.
    pub fn write_modulus(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        check_length(self.size(), out)?;
        in_room!(&self.size, room => to_be_bytes(room.key.public.modulus.value(), out), ());
        Ok(())
    }

    /// Writes one big-endian prime, which with the public key is the whole key.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the buffer has half of [`RsaPrivate::size`] bytes.
    pub fn write_prime(&self, out: &mut [u8]) -> Result<(), CryptoError> {
        check_length(self.size() >> 1, out)?;
        in_room!(&self.size, room => to_be_bytes(room.key.p.value(), out), ());
        Ok(())
    }

    /// Raises the big-endian number in `block` to the private exponent, in place.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the block has [`RsaPrivate::size`] bytes, [`CryptoError::RsaInputOutOfRange`]
    /// unless the number is below the modulus, [`CryptoError::Entropy`] if there is no blinding factor,
    /// [`CryptoError::RsaFault`] if the result is wrong; the block is unchanged then.
    pub fn raise(&mut self, block: &mut [u8], rng: &mut dyn Rng) -> Result<(), CryptoError> {
        check_length(self.size(), block)?;
        in_room!(&mut self.size, room => raise(&mut room.key, block, rng), Err(CryptoError::RsaKeyInconsistent))
    }
}

#[inline(never)] // One size at a time is on the stack.
fn raise<const H: usize, const F: usize>(
    key: &mut PrivateKey<H, F>,
    block: &mut [u8],
    rng: &mut dyn Rng,
) -> Result<(), CryptoError> {
    let mut number = Zeroizing::new([0; F]);
    key.public.read(block, &mut number)?;
    key.raise(&mut number, rng)?;
    to_be_bytes(&*number, block);
    Ok(())
}

impl fmt::Debug for RsaPrivate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPrivate").field("bytes", &self.size()).finish_non_exhaustive()
    }
}

const fn check_length(expected: usize, block: &[u8]) -> Result<(), CryptoError> {
    if block.len() == expected { Ok(()) } else { Err(CryptoError::Length { expected, actual: block.len() }) }
}
