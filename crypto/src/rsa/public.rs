// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA public keys (RFC 8017, "RSAEP" and "RSAVP1").

use super::montgomery::Modulus;
use super::words::{from_be_bytes, read_be_bytes, to_be_bytes};
use crate::CryptoError;

/// A public key of 1024 to 4096 bits, in the bytes in which it came.
#[derive(Debug, Clone, Copy)]
pub struct RsaPublic<'a> {
    /// Big-endian, without leading zeros.
    modulus: &'a [u8],
    exponent: u32,
}

impl<'a> RsaPublic<'a> {
    /// Smallest modulus in bits.
    pub const MIN_BITS: usize = 1024;
    /// Largest modulus in bits.
    pub const MAX_BITS: usize = 4096;

    /// Checks a key of a big-endian modulus and an exponent.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`] unless the modulus has 1024 to 4096 significant bits,
    /// [`CryptoError::RsaExponent`] unless the exponent is odd and at least three,
    /// [`CryptoError::RsaKeyInconsistent`] for an even modulus.
    pub fn new(modulus: &'a [u8], exponent: u32) -> Result<Self, CryptoError> {
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let key = Self { modulus: modulus.get(leading..).unwrap_or_default(), exponent };
        let bits = key.bits();
        if !(Self::MIN_BITS..=Self::MAX_BITS).contains(&bits) {
            return Err(CryptoError::RsaKeySize { bits });
        }
        check_exponent(exponent)?;
        if key.modulus.last().is_some_and(|byte| byte & 1 == 1) {
            Ok(key)
        } else {
            Err(CryptoError::RsaKeyInconsistent)
        }
    }

    /// Checks a key of the big-endian numbers of a certificate.
    ///
    /// # Errors
    /// Those of [`RsaPublic::new`]; exponents of more than 32 bits are reported as `u32::MAX`.
    pub fn from_be_bytes(modulus: &'a [u8], exponent: &[u8]) -> Result<Self, CryptoError> {
        let exponent = from_be_bytes::<1>(exponent)
            .and_then(|[word]| u32::try_from(word).ok())
            .ok_or(CryptoError::RsaExponent { exponent: u32::MAX })?;
        Self::new(modulus, exponent)
    }

    /// Returns the number of bytes of the modulus, and so of every signature and ciphertext.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.modulus.len()
    }

    /// Returns the number of significant bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        let unused = self.modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        self.modulus.len().saturating_mul(8).saturating_sub(unused)
    }

    /// Returns the exponent.
    #[must_use]
    pub const fn exponent(&self) -> u32 {
        self.exponent
    }

    /// Raises the big-endian number in `block` to the exponent, in place. The run time is that of public data.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the block has [`RsaPublic::size`] bytes,
    /// [`CryptoError::RsaInputOutOfRange`] unless the number is below the modulus; the block is unchanged then.
    pub fn raise(&self, block: &mut [u8]) -> Result<(), CryptoError> {
        if block.len() != self.size() {
            return Err(CryptoError::Length { expected: self.size(), actual: block.len() });
        }
        match self.bits() {
            ..=1024 => self.raise_in::<16>(block),
            1025..=2048 => self.raise_in::<32>(block),
            2049..=3072 => self.raise_in::<48>(block),
            _ => self.raise_in::<64>(block),
        }
    }

    #[inline(never)] // One size at a time is on the stack.
    fn raise_in<const F: usize>(&self, block: &mut [u8]) -> Result<(), CryptoError> {
        let modulus = from_be_bytes(self.modulus).ok_or(CryptoError::RsaKeyInconsistent)?;
        let mut key = PublicKey::<F> { exponent: self.exponent, ..PublicKey::EMPTY };
        key.modulus.prepare_public(&modulus).ok_or(CryptoError::RsaKeyInconsistent)?;
        let mut number = [0; F];
        key.read(block, &mut number)?;
        to_be_bytes(&key.modulus.power_of_public(&number, key.exponent), block);
        Ok(())
    }
}

const fn check_exponent(exponent: u32) -> Result<(), CryptoError> {
    if exponent < 3 || exponent & 1 == 0 { Err(CryptoError::RsaExponent { exponent }) } else { Ok(()) }
}

/// A public key of at most `F` words, ready for use.
#[derive(Clone)]
pub(super) struct PublicKey<const F: usize> {
    pub(super) modulus: Modulus<F>,
    pub(super) exponent: u32,
}

impl<const F: usize> PublicKey<F> {
    /// Room for a key.
    pub(super) const EMPTY: Self = Self { modulus: Modulus::EMPTY, exponent: 0 };

    /// Prepares a key where it is.
    pub(super) fn prepare(&mut self, modulus: &[u64; F], exponent: u32) -> Result<(), CryptoError> {
        check_exponent(exponent)?;
        self.exponent = exponent;
        self.modulus.prepare(modulus).ok_or(CryptoError::RsaKeyInconsistent)
    }

    /// Raises a number below the modulus to the exponent, in place.
    pub(super) fn raise(&self, number: &mut [u64; F]) {
        *number = self.modulus.power_public(number, self.exponent);
    }

    /// Reads a number that must be below the modulus.
    pub(super) fn read(&self, block: &[u8], number: &mut [u64; F]) -> Result<(), CryptoError> {
        let is_below = read_be_bytes(block, number) && self.modulus.contains(number);
        if is_below { Ok(()) } else { Err(CryptoError::RsaInputOutOfRange) }
    }
}
