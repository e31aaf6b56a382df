// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The portable implementation of [`Crypto`]: RustCrypto crates, and our own RSA.

mod aes_modes;
mod elliptic;
mod hasher;

use crate::{CipherMode, Crypto, CryptoError, Direction, EccPoint, EccPrivate, EccSignature, Rng};
pub use hasher::RustHasher;

/// The pure-Rust implementation of [`Crypto`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RustCrypto;

impl Crypto for RustCrypto {
    type Hasher = RustHasher;
    type RsaPrivate = ();

    fn cipher(
        key: &[u8],
        mode: CipherMode,
        direction: Direction,
        iv: &mut [u8; 16],
        data: &mut [u8],
    ) -> Result<(), CryptoError> {
        aes_modes::run(key, mode, direction, iv, data)
    }

    fn ecc_public(private: &EccPrivate) -> Result<EccPoint, CryptoError> {
        elliptic::public(private)
    }

    fn ecc_on_curve(point: &EccPoint) -> bool {
        elliptic::on_curve(point)
    }

    fn ecc_multiply(private: &EccPrivate, point: &EccPoint) -> Result<EccPoint, CryptoError> {
        elliptic::multiply(private, point)
    }

    fn ecdsa_sign(private: &EccPrivate, digest: &[u8], rng: &mut dyn Rng) -> Result<EccSignature, CryptoError> {
        elliptic::sign(private, digest, rng)
    }

    fn ecdsa_verify(public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError> {
        elliptic::verify(public, digest, signature)
    }

    fn rsa_public(modulus: &[u8], _exponent: u32, _block: &mut [u8]) -> Result<(), CryptoError> {
        Err(CryptoError::RsaKeySize { bits: modulus.len().saturating_mul(8) })
    }

    fn rsa_load(modulus: &[u8], _exponent: u32, _prime: &[u8]) -> Result<Self::RsaPrivate, CryptoError> {
        Err(CryptoError::RsaKeySize { bits: modulus.len().saturating_mul(8) })
    }

    fn rsa_private((): &Self::RsaPrivate, block: &mut [u8], _rng: &mut dyn Rng) -> Result<(), CryptoError> {
        Err(CryptoError::RsaKeySize { bits: block.len().saturating_mul(8) })
    }

    fn rsa_generate(
        _exponent: u32,
        _rng: &mut dyn Rng,
        modulus: &mut [u8],
        _prime: &mut [u8],
    ) -> Result<(), CryptoError> {
        Err(CryptoError::RsaKeySize { bits: modulus.len().saturating_mul(8) })
    }
}
