// SPDX-License-Identifier: Apache-2.0 OR MIT
//! OAEP (RFC 8017, "RSAES-OAEP"), with one hash algorithm for the label and MGF1.
//!
//! The label is the bytes given. A TPM's label ends with a NUL that counts (TPM 2.0 Part 1, "RSAES_OAEP").

use super::flow::{Search, copy_start, move_to_front};
use super::mgf1_xor;
use crate::{CryptoError, Digest, HashAlg, Rng, StreamingHash};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// Returns the longest message for a modulus of so many bytes; `None` if the modulus is too short for the hash.
#[must_use]
pub const fn longest_message(alg: HashAlg, block: usize) -> Option<usize> {
    block.checked_sub(alg.digest_size().wrapping_mul(2).wrapping_add(2))
}

/// Encodes a message for encryption; `block` is as long as the modulus.
///
/// # Errors
/// [`CryptoError::MessageTooLong`], [`CryptoError::Entropy`].
pub fn encode<H: StreamingHash>(
    alg: HashAlg,
    label: &[u8],
    message: &[u8],
    rng: &mut dyn Rng,
    block: &mut [u8],
) -> Result<(), CryptoError> {
    let limit = longest_message(alg, block.len());
    let too_long = CryptoError::MessageTooLong { limit: limit.unwrap_or(0), actual: message.len() };
    let zeros = limit.and_then(|limit| limit.checked_sub(message.len())).ok_or(too_long)?;
    let (first, seed, data) = parts(alg, block).ok_or(too_long)?;
    *first = 0;
    rng.fill(seed)?;
    let label = hash_label::<H>(alg, label);
    let content = label.as_bytes().iter().copied().chain(core::iter::repeat_n(0, zeros)).chain([1]);
    for (byte, value) in data.iter_mut().zip(content.chain(message.iter().copied())) {
        *byte = value;
    }
    mgf1_xor::<H>(alg, seed, data);
    mgf1_xor::<H>(alg, data, seed);
    Ok(())
}

/// Decodes a decrypted block in constant flow, wipes it, and returns the length of the message in `out`.
///
/// # Errors
/// [`CryptoError::Length`] if `out` has not room for every message that a block can hold; [`CryptoError::Padding`]
/// for any other structure or label, and `out` holds zeros then.
pub fn decode<H: StreamingHash>(
    alg: HashAlg,
    label: &[u8],
    block: &mut [u8],
    out: &mut [u8],
) -> Result<usize, CryptoError> {
    let longest = longest_message(alg, block.len()).ok_or(CryptoError::Padding)?;
    if out.len() < longest {
        return Err(CryptoError::Length { expected: longest, actual: out.len() });
    }
    let (first, seed, data) = parts(alg, block).ok_or(CryptoError::Padding)?;
    mgf1_xor::<H>(alg, data, seed);
    mgf1_xor::<H>(alg, seed, data);

    let label = hash_label::<H>(alg, label);
    let (label_read, rest) = data.split_at_mut_checked(alg.digest_size()).ok_or(CryptoError::Padding)?;
    let mut good = first.ct_eq(&0) & label.as_bytes().ct_eq(label_read);
    let mut search = Search::new();
    for (position, byte) in (0u64..).zip(rest.iter()) {
        let one = byte.ct_eq(&1);
        let looking = search.visit(position, one);
        // Before the one there are zeros.
        good &= !looking | one | byte.ct_eq(&0);
    }
    let (end, found): (u64, Choice) = search.result();
    good &= found;
    let distance = end.wrapping_add(1);
    move_to_front(rest, distance);
    copy_start(rest, out);
    let length = usize::try_from(distance).ok().and_then(|distance| rest.len().checked_sub(distance));
    block.zeroize();
    match length {
        Some(length) if bool::from(good) => Ok(length),
        _ => {
            out.fill(0);
            Err(CryptoError::Padding)
        }
    }
}

/// Divides a block into its first byte, the seed and the data block.
fn parts(alg: HashAlg, block: &mut [u8]) -> Option<(&mut u8, &mut [u8], &mut [u8])> {
    let (first, rest) = block.split_first_mut()?;
    let (seed, data) = rest.split_at_mut_checked(alg.digest_size())?;
    Some((first, seed, data))
}

fn hash_label<H: StreamingHash>(alg: HashAlg, label: &[u8]) -> Digest {
    let mut hasher = H::new(alg);
    hasher.update(label);
    hasher.finish()
}
