// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA public keys (RFC 8017, "RSAEP" and "RSAVP1").

use super::montgomery::Modulus;
use super::words::{bit_length, from_be_bytes, to_be_bytes};
use crate::CryptoError;
use core::fmt;

/// A public key of 1024 to 4096 bits, ready for use.
#[derive(Clone)]
pub struct RsaPublic {
    size: Size,
    bytes: usize,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there is no heap here, and a key is passed by reference")]
enum Size {
    Upto1024(PublicKey<16>),
    Upto2048(PublicKey<32>),
    Upto3072(PublicKey<48>),
    Upto4096(PublicKey<64>),
}

impl RsaPublic {
    /// Smallest modulus in bits.
    pub const MIN_BITS: usize = 1024;
    /// Largest modulus in bits.
    pub const MAX_BITS: usize = 4096;

    /// Prepares a key from its big-endian modulus and its exponent.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`] unless the modulus has 1024 to 4096 significant bits,
    /// [`CryptoError::RsaExponent`] unless the exponent is odd and at least three,
    /// [`CryptoError::RsaKeyInconsistent`] for an even modulus.
    pub fn new(modulus: &[u8], exponent: u32) -> Result<Self, CryptoError> {
        let leading = modulus.iter().take_while(|byte| **byte == 0).count();
        let significant = modulus.get(leading..).unwrap_or_default();
        let words = from_be_bytes::<64>(significant)
            .ok_or(CryptoError::RsaKeySize { bits: significant.len().saturating_mul(8) })?;
        let bits = bit_length(&words);
        let size = match bits {
            1024 => Size::Upto1024(PublicKey::from_be_bytes(significant, exponent)?),
            1025..=2048 => Size::Upto2048(PublicKey::from_be_bytes(significant, exponent)?),
            2049..=3072 => Size::Upto3072(PublicKey::from_be_bytes(significant, exponent)?),
            3073..=4096 => Size::Upto4096(PublicKey::from_be_bytes(significant, exponent)?),
            _ => return Err(CryptoError::RsaKeySize { bits }),
        };
        Ok(Self { size, bytes: significant.len() })
    }

    /// Prepares a key from the big-endian numbers of a certificate.
    ///
    /// # Errors
    /// Those of [`RsaPublic::new`]; exponents of more than 32 bits are reported as `u32::MAX`.
    pub fn from_be_bytes(modulus: &[u8], exponent: &[u8]) -> Result<Self, CryptoError> {
        let exponent = from_be_bytes::<1>(exponent)
            .and_then(|[word]| u32::try_from(word).ok())
            .ok_or(CryptoError::RsaExponent { exponent: u32::MAX })?;
        Self::new(modulus, exponent)
    }

    /// Returns the number of bytes of the modulus, and so of every signature and ciphertext.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.bytes
    }

    /// Returns the number of significant bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        match &self.size {
            Size::Upto1024(key) => bit_length(key.modulus.value()),
            Size::Upto2048(key) => bit_length(key.modulus.value()),
            Size::Upto3072(key) => bit_length(key.modulus.value()),
            Size::Upto4096(key) => bit_length(key.modulus.value()),
        }
    }

    /// Returns the exponent.
    #[must_use]
    pub const fn exponent(&self) -> u32 {
        match &self.size {
            Size::Upto1024(key) => key.exponent,
            Size::Upto2048(key) => key.exponent,
            Size::Upto3072(key) => key.exponent,
            Size::Upto4096(key) => key.exponent,
        }
    }

    /// Raises the big-endian number in `block` to the exponent, in place. The run time is that of public data.
    ///
    /// # Errors
    /// [`CryptoError::Length`] unless the block has [`RsaPublic::size`] bytes,
    /// [`CryptoError::RsaInputOutOfRange`] unless the number is below the modulus; the block is unchanged then.
    pub fn raise(&self, block: &mut [u8]) -> Result<(), CryptoError> {
        if block.len() != self.bytes {
            return Err(CryptoError::Length { expected: self.bytes, actual: block.len() });
        }
        match &self.size {
            Size::Upto1024(key) => key.raise_bytes(block),
            Size::Upto2048(key) => key.raise_bytes(block),
            Size::Upto3072(key) => key.raise_bytes(block),
            Size::Upto4096(key) => key.raise_bytes(block),
        }
    }
}

impl fmt::Debug for RsaPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublic").field("bits", &self.bits()).field("exponent", &self.exponent()).finish()
    }
}

/// A public key of at most `F` words.
#[derive(Clone)]
pub(super) struct PublicKey<const F: usize> {
    pub(super) modulus: Modulus<F>,
    pub(super) exponent: u32,
}

impl<const F: usize> PublicKey<F> {
    pub(super) fn new(modulus: [u64; F], exponent: u32) -> Result<Self, CryptoError> {
        if exponent < 3 || exponent & 1 == 0 {
            return Err(CryptoError::RsaExponent { exponent });
        }
        let modulus = Modulus::new(modulus).ok_or(CryptoError::RsaKeyInconsistent)?;
        Ok(Self { modulus, exponent })
    }

    fn from_be_bytes(modulus: &[u8], exponent: u32) -> Result<Self, CryptoError> {
        Self::new(from_be_bytes(modulus).ok_or(CryptoError::RsaKeyInconsistent)?, exponent)
    }

    /// Raises a number below the modulus to the exponent.
    pub(super) fn raise(&self, number: &[u64; F]) -> [u64; F] {
        self.modulus.power_public(number, self.exponent)
    }

    /// Reads a number that must be below the modulus.
    pub(super) fn read(&self, block: &[u8]) -> Result<[u64; F], CryptoError> {
        from_be_bytes(block).filter(|number| self.modulus.contains(number)).ok_or(CryptoError::RsaInputOutOfRange)
    }

    fn raise_bytes(&self, block: &mut [u8]) -> Result<(), CryptoError> {
        let number = self.read(block)?;
        to_be_bytes(&self.raise(&number), block);
        Ok(())
    }
}
