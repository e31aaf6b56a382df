// SPDX-License-Identifier: Apache-2.0 OR MIT
//! EC Schnorr and ECDAA signatures (TPM 2.0 Library Part 1, clauses "EC Schnorr", "ECDAA").

use zeroize::Zeroizing;

use crate::drbg::HmacDrbg;
use crate::{Crypto, CryptoError, Digest, EccCurve, EccPoint, EccPrivate, EccSignature, HashAlg, Rng};

// Each attempt fails with a probability of about one in the order of the group.
const ATTEMPTS: usize = 8;

/// Signs a digest with EC Schnorr.
///
/// The nonce comes from a generator that is seeded with the key, the digest and fresh randomness: neither a bad source
/// alone nor a repeated computation alone repeats a nonce.
///
/// # Errors
/// [`CryptoError::Entropy`].
pub fn sign<C: Crypto>(
    private: &EccPrivate,
    alg: HashAlg,
    digest: &[u8],
    rng: &mut dyn Rng,
) -> Result<EccSignature, CryptoError> {
    let mut salt = Zeroizing::new([0; 32]);
    rng.fill(&mut *salt)?;
    let mut nonces = HmacDrbg::<C>::new(private.as_bytes(), &*salt, digest);
    for _ in 0..ATTEMPTS {
        let nonce = EccPrivate::generate(private.curve(), &mut nonces)?;
        let hash = challenge::<C>(alg, &C::ecc_public(&nonce)?, digest);
        let challenge = truncated(&hash, private.curve());
        // "if s = 0 or s = k go to (1)": s = k exactly if the challenge is no number but zero
        match C::ecc_multiply_add(private, challenge, &nonce) {
            Err(CryptoError::PrivateOutOfRange) => {}
            sum => return EccSignature::new(private.curve(), challenge, sum?.as_bytes()),
        }
    }
    Err(CryptoError::PointAtInfinity)
}

/// Verifies an EC Schnorr signature.
///
/// # Errors
/// [`CryptoError::PointNotOnCurve`], [`CryptoError::CurveMismatch`], [`CryptoError::SignatureInvalid`].
pub fn verify<C: Crypto>(
    public: &EccPoint,
    alg: HashAlg,
    digest: &[u8],
    signature: &EccSignature,
) -> Result<(), CryptoError> {
    // "compute (xE, yE) := [s]G + [-r]Qs"
    let commitment = C::ecc_schnorr_commitment(public, signature)?;
    let hash = challenge::<C>(alg, &commitment, digest);
    let expected = EccSignature::new(public.curve(), truncated(&hash, public.curve()), &[])?;
    // "The comparison of r' and r is done assuming that both values are numeric and not octet strings."
    if expected.r() == signature.r() { Ok(()) } else { Err(CryptoError::SignatureInvalid) }
}

/// Signs a digest with ECDAA and the secret behind a commitment: the result is (k, s) with "T := H(k || P) (mod n)" and
/// "s := (r + T ds) (mod n)".
///
/// # Errors
/// [`CryptoError::Entropy`], [`CryptoError::CurveMismatch`].
pub fn sign_committed<C: Crypto>(
    private: &EccPrivate,
    committed: &EccPrivate,
    alg: HashAlg,
    digest: &[u8],
    rng: &mut dyn Rng,
) -> Result<EccSignature, CryptoError> {
    for _ in 0..ATTEMPTS {
        // It is no secret: "The k value is returned in the R parameter of the TPMT_SIGNATURE structure."
        let nonce = EccPrivate::generate(private.curve(), rng)?;
        let factor = C::hash(alg, &[nonce.as_bytes(), digest]);
        match C::ecc_multiply_add(private, factor.as_bytes(), committed) {
            Err(CryptoError::PrivateOutOfRange) => {}
            sum => return EccSignature::new(private.curve(), nonce.as_bytes(), sum?.as_bytes()),
        }
    }
    Err(CryptoError::PointAtInfinity)
}

/// "H(FE2BS(xE) || P)", where FE2BS() pads to the size of the field.
fn challenge<C: Crypto>(alg: HashAlg, commitment: &EccPoint, digest: &[u8]) -> Digest {
    C::hash(alg, &[commitment.x(), digest])
}

/// "TRUNC() reduces the number of octets in the first argument until it has no more octets than the second"
fn truncated(hash: &Digest, curve: EccCurve) -> &[u8] {
    hash.as_bytes().get(..curve.order_bits().div_ceil(8)).unwrap_or(hash.as_bytes())
}

#[cfg(test)]
mod tests;
