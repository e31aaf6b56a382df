// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signature verification with keys as certificates hold them (RFC 8017, "RSASSA-PSS" and "RSASSA-PKCS1-v1_5").

use super::RsaPublic;
use crate::padding::{pkcs1, pss};
use crate::{CryptoError, HashAlg, RustHasher};

/// Verifies a PSS signature over a digest, with MGF1 over the same hash algorithm; numbers are big-endian.
///
/// # Errors
/// Those of [`RsaPublic::from_be_bytes`] for the key, else [`CryptoError::SignatureInvalid`].
pub fn rsa_pss_verify(
    modulus: &[u8],
    exponent: &[u8],
    alg: HashAlg,
    digest: &[u8],
    salt: pss::Salt,
    signature: &[u8],
) -> Result<(), CryptoError> {
    let key = RsaPublic::from_be_bytes(modulus, exponent)?;
    open(&key, signature, |block| pss::verify::<RustHasher>(alg, digest, salt, key.bits(), block))
}

/// Verifies a PKCS #1 v1.5 signature over a digest; numbers are big-endian.
///
/// # Errors
/// Those of [`RsaPublic::from_be_bytes`] for the key, else [`CryptoError::SignatureInvalid`].
pub fn rsa_pkcs1_verify(
    modulus: &[u8],
    exponent: &[u8],
    alg: HashAlg,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let key = RsaPublic::from_be_bytes(modulus, exponent)?;
    open(&key, signature, |block| pkcs1::verify_signature(alg, digest, block))
}

/// Opens a signature and hands the block to the check of its padding.
fn open(
    key: &RsaPublic,
    signature: &[u8],
    check: impl FnOnce(&mut [u8]) -> Result<(), CryptoError>,
) -> Result<(), CryptoError> {
    let mut buffer = [0; RsaPublic::MAX_BITS / 8];
    let block = buffer.get_mut(..signature.len()).ok_or(CryptoError::SignatureInvalid)?;
    for (byte, value) in block.iter_mut().zip(signature) {
        *byte = *value;
    }
    key.raise(block).map_err(|_| CryptoError::SignatureInvalid)?;
    check(block)
}
