// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key derivations of the TPM and its XOR obfuscation (Part 1, clauses "KDFa()", "KDFe for ECDH", "XOR
//! Obfuscation"), over SP 800-108 counter mode and the one-step derivation of SP 800-56C.

use zeroize::Zeroize;

use crate::{Crypto, CryptoError, Digest, HashAlg, Hmac, StreamingHash};

/// Derives `bits` bits with HMAC in counter mode: "`K(i) := HMAC(KIN, [i] || Label || 00 || Context || [L])`".
///
/// The label's zero octet is added when the label does not end with one. If `bits` is no multiple of eight, "the
/// additional, high-order bits in the 0'th octet are CLEAR".
///
/// # Errors
/// [`CryptoError::Length`] when `out` does not have `bits / 8` bytes, rounded up.
pub fn kdfa<C: Crypto>(
    alg: HashAlg,
    key: &[u8],
    label: &[u8],
    context_u: &[u8],
    context_v: &[u8],
    bits: u32,
    out: &mut [u8],
) -> Result<(), CryptoError> {
    check_length(bits, out)?;
    kdfa_blocks::<C>(alg, key, label, context_u, context_v, bits, out, |to, from| *to = from);
    clear_surplus_bits(bits, out);
    Ok(())
}

/// Derives `bits` bits from a shared x-coordinate: "`digest_i := H(counter || Z || Use || PartyUInfo || PartyVInfo)`".
///
/// `z` and the parties are x-coordinates padded to the curve's size. The zero octet of the label and the surplus bits
/// are treated as in [`kdfa`].
///
/// # Errors
/// [`CryptoError::Length`] when `out` does not have `bits / 8` bytes, rounded up.
pub fn kdfe<C: Crypto>(
    alg: HashAlg,
    z: &[u8],
    label: &[u8],
    party_u: &[u8],
    party_v: &[u8],
    bits: u32,
    out: &mut [u8],
) -> Result<(), CryptoError> {
    check_length(bits, out)?;
    for (counter, chunk) in (1u32..).zip(out.chunks_mut(alg.digest_size().max(1))) {
        let mut hasher = C::Hasher::new(alg);
        for part in [&counter.to_be_bytes(), z, label, terminator(label), party_u, party_v] {
            hasher.update(part);
        }
        mix(chunk, hasher.finish(), |to, from| *to = from);
    }
    clear_surplus_bits(bits, out);
    Ok(())
}

/// Obfuscates data in place, or undoes it: "`mask := KDFa(hashAlg, key, "XOR", contextU, contextV, data.size * 8)`".
///
/// # Errors
/// [`CryptoError::OutputTooLong`] when the size in bits does not fit the derivation's 32-bit parameter.
pub fn xor_obfuscate<C: Crypto>(
    alg: HashAlg,
    key: &[u8],
    context_u: &[u8],
    context_v: &[u8],
    data: &mut [u8],
) -> Result<(), CryptoError> {
    let too_long = CryptoError::OutputTooLong { actual: data.len() };
    let bits = u32::try_from(data.len()).ok().and_then(|bytes| bytes.checked_mul(8)).ok_or(too_long)?;
    kdfa_blocks::<C>(alg, key, b"XOR", context_u, context_v, bits, data, |to, from| *to ^= from);
    Ok(())
}

/// Combines the data by exclusive or with the mask that KDF2 makes of a secret in parts: "H(secret || counter)", counted
/// from one (ISO/IEC 18033-2, "KDF2"); doing it twice undoes it.
pub fn kdf2_xor<C: Crypto>(alg: HashAlg, secret: &[&[u8]], data: &mut [u8]) {
    let mut seeded = C::Hasher::new(alg);
    secret.iter().for_each(|part| seeded.update(part));
    for (counter, chunk) in (1u32..).zip(data.chunks_mut(alg.digest_size().max(1))) {
        let mut hasher = seeded.clone();
        hasher.update(&counter.to_be_bytes());
        mix(chunk, hasher.finish(), |to, from| *to ^= from);
    }
}

#[expect(clippy::too_many_arguments, reason = "KDFa has six in the specification; output and its use make eight")]
fn kdfa_blocks<C: Crypto>(
    alg: HashAlg,
    key: &[u8],
    label: &[u8],
    context_u: &[u8],
    context_v: &[u8],
    bits: u32,
    out: &mut [u8],
    apply: impl Fn(&mut u8, u8),
) {
    let keyed = Hmac::<C::Hasher>::new(alg, key);
    for (counter, chunk) in (1u32..).zip(out.chunks_mut(alg.digest_size().max(1))) {
        let mut mac = keyed.clone();
        for part in
            [&counter.to_be_bytes(), label, terminator(label), context_u, context_v, &bits.to_be_bytes()] as [&[u8]; 6]
        {
            mac.update(part);
        }
        mix(chunk, mac.finish(), &apply);
    }
}

// "00 is added only if Label is not present or if the last octet of Label is not zero."
fn terminator(label: &[u8]) -> &'static [u8] {
    if label.last() == Some(&0) { &[] } else { &[0] }
}

fn mix(chunk: &mut [u8], mut digest: Digest, apply: impl Fn(&mut u8, u8)) {
    chunk.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| apply(to, *from));
    digest.as_mut_bytes().zeroize();
}

fn check_length(bits: u32, out: &[u8]) -> Result<(), CryptoError> {
    let expected = usize::try_from(bits.div_ceil(8)).unwrap_or(usize::MAX);
    if out.len() == expected { Ok(()) } else { Err(CryptoError::Length { expected, actual: out.len() }) }
}

// "The unused bits of the most significant octet (MSO) are masked off and not shifted."
fn clear_surplus_bits(bits: u32, out: &mut [u8]) {
    let used = bits % 8;
    if let (1.., Some(first)) = (used, out.first_mut()) {
        *first &= !0xff_u8.wrapping_shl(used);
    }
}

#[cfg(test)]
mod tests;
