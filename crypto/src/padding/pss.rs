// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PSS (RFC 8017, "EMSA-PSS"), with one hash algorithm for the message and MGF1.

use super::mgf1_xor;
use crate::{CryptoError, Digest, HashAlg, Rng, StreamingHash, constant_time_eq};
use zeroize::Zeroize;

/// Longest modulus in bytes.
const MAX_BLOCK: usize = 512;

/// The last byte of every encoded message.
const TRAILER: u8 = 0xbc;

/// What a verifier demands of the salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Salt {
    /// Exactly so many bytes.
    Exactly(usize),
    /// Whatever length the signature has: TPMs differ between the digest's size and the longest that fits.
    Any,
}

/// Returns the longest salt for a modulus of so many bits; `None` if the modulus is too short for the hash.
#[must_use]
pub const fn longest_salt(alg: HashAlg, modulus_bits: usize) -> Option<usize> {
    modulus_bits.saturating_sub(1).div_ceil(8).checked_sub(alg.digest_size().wrapping_add(2))
}

/// Encodes a digest for signing; `block` is as long as the modulus, which has `modulus_bits` significant bits.
///
/// # Errors
/// [`CryptoError::Length`] if digest or block have a wrong size, [`CryptoError::MessageTooLong`] if the salt does not
/// fit, [`CryptoError::Entropy`].
pub fn encode<H: StreamingHash>(
    alg: HashAlg,
    digest: &[u8],
    salt_length: usize,
    modulus_bits: usize,
    rng: &mut dyn Rng,
    block: &mut [u8],
) -> Result<(), CryptoError> {
    if digest.len() != alg.digest_size() {
        return Err(CryptoError::Length { expected: alg.digest_size(), actual: digest.len() });
    }
    let limit = longest_salt(alg, modulus_bits);
    let too_long = CryptoError::MessageTooLong { limit: limit.unwrap_or(0), actual: salt_length };
    let zeros = limit.and_then(|limit| limit.checked_sub(salt_length)).ok_or(too_long)?;
    let length = CryptoError::Length { expected: modulus_bits.div_ceil(8), actual: block.len() };
    let mut buffer = [0; MAX_BLOCK];
    let salt = buffer.get_mut(..salt_length).ok_or(too_long)?;
    rng.fill(salt)?;
    let hash = hash_salted::<H>(alg, digest, salt);

    let Parts { data, hash: hash_place, trailer, keep } = parts(alg, modulus_bits, block).ok_or(length)?;
    let content = core::iter::repeat_n(0, zeros).chain([1]).chain(salt.iter().copied());
    for (byte, value) in data.iter_mut().zip(content) {
        *byte = value;
    }
    for (byte, value) in hash_place.iter_mut().zip(hash.as_bytes()) {
        *byte = *value;
    }
    mgf1_xor::<H>(alg, hash_place, data);
    if let Some(first) = data.first_mut() {
        *first &= keep;
    }
    *trailer = TRAILER;
    salt.zeroize();
    Ok(())
}

/// Checks an opened signature, which is unmasked in place on the way.
///
/// # Errors
/// [`CryptoError::SignatureInvalid`] if it is not over this digest with such a salt.
pub fn verify<H: StreamingHash>(
    alg: HashAlg,
    digest: &[u8],
    salt: Salt,
    modulus_bits: usize,
    block: &mut [u8],
) -> Result<(), CryptoError> {
    let invalid = CryptoError::SignatureInvalid;
    if digest.len() != alg.digest_size() {
        return Err(invalid);
    }
    let spare_byte = block.len().wrapping_mul(8) == modulus_bits.wrapping_add(7);
    if spare_byte && block.first() != Some(&0) {
        return Err(invalid);
    }
    let Parts { data, hash, trailer, keep } = parts(alg, modulus_bits, block).ok_or(invalid)?;
    if *trailer != TRAILER || data.first().is_some_and(|first| first & !keep != 0) {
        return Err(invalid);
    }
    mgf1_xor::<H>(alg, hash, data);
    if let Some(first) = data.first_mut() {
        *first &= keep;
    }
    let zeros = data.iter().take_while(|byte| **byte == 0).count();
    let Some((1, found)) = data.get(zeros..).and_then(<[u8]>::split_first) else {
        return Err(invalid);
    };
    if let Salt::Exactly(length) = salt
        && found.len() != length
    {
        return Err(invalid);
    }
    if constant_time_eq(hash_salted::<H>(alg, digest, found).as_bytes(), hash) { Ok(()) } else { Err(invalid) }
}

/// The parts of an encoded message.
struct Parts<'a> {
    data: &'a mut [u8],
    hash: &'a mut [u8],
    trailer: &'a mut u8,
    /// Keeps the bits of the first data byte that the modulus has room for.
    keep: u8,
}

/// Divides a block; a modulus of one bit more than whole bytes leaves the first byte zero.
fn parts(alg: HashAlg, modulus_bits: usize, block: &mut [u8]) -> Option<Parts<'_>> {
    if block.len() != modulus_bits.div_ceil(8) {
        return None;
    }
    let bits = modulus_bits.checked_sub(1)?;
    let keep = match u32::try_from(bits & 7).ok()? {
        0 => {
            *block.first_mut()? = 0;
            0xff
        }
        used => u8::MAX.wrapping_shr(8u32.wrapping_sub(used)),
    };
    let start = block.len().checked_sub(bits.div_ceil(8))?;
    let (trailer, rest) = block.get_mut(start..)?.split_last_mut()?;
    let (data, hash) = rest.split_at_mut_checked(rest.len().checked_sub(alg.digest_size())?)?;
    Some(Parts { data, hash, trailer, keep })
}

/// Hashes eight zeros, the digest and the salt.
fn hash_salted<H: StreamingHash>(alg: HashAlg, digest: &[u8], salt: &[u8]) -> Digest {
    let mut hasher = H::new(alg);
    hasher.update(&[0; 8]);
    hasher.update(digest);
    hasher.update(salt);
    hasher.finish()
}
