// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PKCS #1 v1.5 for signatures and encryption (RFC 8017, "EMSA-PKCS1-v1_5" and "RSAES-PKCS1-v1_5").

use super::flow::{Search, copy_start, move_to_front};
use crate::{CryptoError, EntropyError, HashAlg, Rng, constant_time_eq};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// Fewest random bytes before the message: "PS […] The length of PS will be at least eight octets."
const MIN_FILL: usize = 8;

/// The bytes around them: 0x00, the block type and the zero that ends them.
const FRAME: usize = 3;

/// Draws for the random bytes that came out as zero.
const MAX_REDRAWS: usize = 64;

/// Longest modulus in bytes.
const MAX_BLOCK: usize = 512;

/// Encodes a digest for signing; `block` is as long as the modulus.
///
/// # Errors
/// [`CryptoError::Length`] if the digest is not one of `alg`, [`CryptoError::MessageTooLong`] if the block is too
/// short for it.
pub fn encode_signature(alg: HashAlg, digest: &[u8], block: &mut [u8]) -> Result<(), CryptoError> {
    if digest.len() != alg.digest_size() {
        return Err(CryptoError::Length { expected: alg.digest_size(), actual: digest.len() });
    }
    let prefix = DigestInfo::of(alg);
    let prefix = prefix.as_bytes();
    let info = prefix.len().saturating_add(digest.len());
    let limit = block.len().saturating_sub(FRAME + MIN_FILL);
    if info > limit {
        return Err(CryptoError::MessageTooLong { limit, actual: info });
    }
    let fill = block.len().saturating_sub(info).saturating_sub(FRAME);
    let content = [0, 1].into_iter().chain(core::iter::repeat_n(0xff, fill)).chain([0]);
    for (byte, value) in block.iter_mut().zip(content.chain(prefix.iter().chain(digest).copied())) {
        *byte = value;
    }
    Ok(())
}

/// Compares an opened signature with what it must be.
///
/// # Errors
/// [`CryptoError::SignatureInvalid`] if it is anything else.
pub fn verify_signature(alg: HashAlg, digest: &[u8], block: &[u8]) -> Result<(), CryptoError> {
    let mut expected = [0; MAX_BLOCK];
    let expected = expected.get_mut(..block.len()).ok_or(CryptoError::SignatureInvalid)?;
    encode_signature(alg, digest, expected).map_err(|_| CryptoError::SignatureInvalid)?;
    if constant_time_eq(expected, block) { Ok(()) } else { Err(CryptoError::SignatureInvalid) }
}

/// Encodes a message for encryption; `block` is as long as the modulus.
///
/// # Errors
/// [`CryptoError::MessageTooLong`] if there is no room for eight random bytes, [`CryptoError::Entropy`].
pub fn encode_encryption(message: &[u8], rng: &mut dyn Rng, block: &mut [u8]) -> Result<(), CryptoError> {
    let limit = block.len().saturating_sub(FRAME + MIN_FILL);
    let too_long = CryptoError::MessageTooLong { limit, actual: message.len() };
    if message.len() > limit {
        return Err(too_long);
    }
    let start = block.len().saturating_sub(message.len());
    let (head, tail) = block.split_at_mut_checked(start).ok_or(too_long)?;
    let [first, second, fill @ .., end] = head else { return Err(too_long) };
    (*first, *second, *end) = (0, 2, 0);
    rng.fill(fill)?;
    for byte in fill.iter_mut().filter(|byte| **byte == 0) {
        *byte = draw_nonzero(rng)?;
    }
    for (byte, value) in tail.iter_mut().zip(message) {
        *byte = *value;
    }
    Ok(())
}

fn draw_nonzero(rng: &mut dyn Rng) -> Result<u8, CryptoError> {
    let mut byte = [0];
    for _ in 0..MAX_REDRAWS {
        rng.fill(&mut byte)?;
        if byte != [0] {
            let [byte] = byte;
            return Ok(byte);
        }
    }
    Err(EntropyError::StuckAtZeros.into())
}

/// Decodes a decrypted block in constant flow, wipes it, and returns the length of the message in `out`.
///
/// # Errors
/// [`CryptoError::Length`] if `out` has not room for every message that a block can hold; [`CryptoError::Padding`]
/// for any other structure, and `out` holds zeros then.
pub fn decode_encryption(block: &mut [u8], out: &mut [u8]) -> Result<usize, CryptoError> {
    let longest = block.len().saturating_sub(FRAME + MIN_FILL);
    if out.len() < longest {
        return Err(CryptoError::Length { expected: longest, actual: out.len() });
    }
    let [first, second, rest @ ..] = block else { return Err(CryptoError::Padding) };
    let mut good = first.ct_eq(&0) & second.ct_eq(&2);
    let mut search = Search::new();
    for (position, byte) in (0u64..).zip(rest.iter()) {
        // A zero among the first eight is a mistake, and not the end.
        let early = position < MIN_FILL as u64;
        let hit = byte.ct_eq(&0);
        if early {
            good &= !hit;
        } else {
            search.visit(position, hit);
        }
    }
    let (end, found) = search.result();
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

/// The start of a `DigestInfo` in DER, up to the digest (RFC 8017, "EMSA-PKCS1-v1_5", note 1; RFC 8702 for SHA-3's
/// identifiers).
enum DigestInfo {
    Sha1([u8; 15]),
    Other([u8; 19]),
}

impl DigestInfo {
    const fn of(alg: HashAlg) -> Self {
        // SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.x, NULL }, OCTET STRING }
        const fn other(arc: u8, size: u8) -> DigestInfo {
            DigestInfo::Other([
                0x30,
                size.wrapping_add(17),
                0x30,
                0x0d,
                0x06,
                0x09,
                0x60,
                0x86,
                0x48,
                0x01,
                0x65,
                0x03,
                0x04,
                0x02,
                arc,
                0x05,
                0x00,
                0x04,
                size,
            ])
        }
        match alg {
            // OID 1.3.14.3.2.26
            HashAlg::Sha1 => {
                Self::Sha1([0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14])
            }
            HashAlg::Sha256 => other(1, 32),
            HashAlg::Sha384 => other(2, 48),
            HashAlg::Sha512 => other(3, 64),
            HashAlg::Sha3_256 => other(8, 32),
            HashAlg::Sha3_384 => other(9, 48),
            HashAlg::Sha3_512 => other(10, 64),
            HashAlg::Shake256_512 => other(12, 64),
        }
    }

    const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha1(bytes) => bytes,
            Self::Other(bytes) => bytes,
        }
    }
}
