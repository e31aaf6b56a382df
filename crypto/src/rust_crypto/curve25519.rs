// SPDX-License-Identifier: Apache-2.0 OR MIT
//! X25519 and Ed25519 over the group of curve25519-dalek (RFC 7748, RFC 8032).
//!
//! Signing and verifying are written here, because a TPM is given digests (`TPM2_SignDigest`) and messages in pieces, which
//! no signature crate takes. Nothing that touches a private scalar varies in time with it.

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::clamp_integer;
use curve25519_dalek::{EdwardsPoint, MontgomeryPoint, Scalar};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::RustHasher;
use crate::{CryptoError, Digest, EdDsa, HashAlg, SharedKey, StreamingHash};

pub(super) fn x25519_public(private: &[u8; 32]) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(*private).to_bytes()
}

pub(super) fn x25519(private: &[u8; 32], public: &[u8; 32]) -> Result<SharedKey, CryptoError> {
    let shared = Zeroizing::new(MontgomeryPoint(*public).mul_clamped(*private).to_bytes());
    if bool::from(shared.ct_eq(&[0; 32])) { Err(CryptoError::PointAtInfinity) } else { Ok(shared) }
}

pub(super) fn ed25519_public(private: &[u8; 32]) -> [u8; 32] {
    let (scalar, _) = expand(private);
    EdwardsPoint::mul_base(&scalar).compress().to_bytes()
}

pub(super) fn ed25519_on_curve(public: &[u8; 32]) -> bool {
    CompressedEdwardsY(*public).decompress().is_some()
}

#[expect(clippy::arithmetic_side_effects, reason = "scalars are added and multiplied modulo the group's order")]
pub(super) fn ed25519_sign(private: &[u8; 32], variant: EdDsa, parts: &[&[u8]]) -> [u8; 64] {
    let (scalar, prefix) = expand(private);
    let public = EdwardsPoint::mul_base(&scalar).compress();
    let mut hasher = RustHasher::new(HashAlg::Sha512);
    hasher.update(variant.domain());
    hasher.update(prefix.as_slice());
    parts.iter().for_each(|part| hasher.update(part));
    let nonce = Zeroizing::new(reduce(&hasher.finish()));

    let r = EdwardsPoint::mul_base(&nonce).compress();
    let mut hasher: RustHasher = variant.challenge(r.as_bytes(), public.as_bytes());
    parts.iter().for_each(|part| hasher.update(part));
    let s = reduce(&hasher.finish()) * *scalar + *nonce;

    let mut signature = [0; 64];
    let halves = r.as_bytes().iter().chain(s.as_bytes());
    signature.iter_mut().zip(halves).for_each(|(to, from)| *to = *from);
    signature
}

/// "Checking the cofactorless equation is sufficient": `[S]B = R + [k]A'`, with R compared as it was encoded.
pub(super) fn ed25519_verify(public: &[u8; 32], challenge: &Digest, signature: &[u8; 64]) -> Result<(), CryptoError> {
    let point = CompressedEdwardsY(*public).decompress().ok_or(CryptoError::PointNotOnCurve)?;
    let [r, s] = signature.as_chunks().0 else { return Err(CryptoError::SignatureInvalid) };
    // "if the resulting S is out of range, the signature is invalid"
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s)).ok_or(CryptoError::SignatureInvalid)?;
    let expected = EdwardsPoint::vartime_double_scalar_mul_basepoint(&reduce(challenge), &negate(&point), &s);
    if expected.compress().as_bytes() == r { Ok(()) } else { Err(CryptoError::SignatureInvalid) }
}

#[expect(clippy::arithmetic_side_effects, reason = "every point has its negative")]
fn negate(point: &EdwardsPoint) -> EdwardsPoint {
    -point
}

/// "Hash the 32-byte private key using SHA-512": the secret scalar from the first half, the prefix is the second.
fn expand(private: &[u8; 32]) -> (Zeroizing<Scalar>, Zeroizing<[u8; 32]>) {
    let mut hasher = RustHasher::new(HashAlg::Sha512);
    hasher.update(private);
    let mut digest = hasher.finish();
    let (mut scalar, mut prefix) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    scalar.iter_mut().chain(prefix.iter_mut()).zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    digest.as_mut_bytes().zeroize();
    (Zeroizing::new(Scalar::from_bytes_mod_order(clamp_integer(*scalar))), prefix)
}

/// "interpret the 64-octet digest as a little-endian integer", modulo the order.
fn reduce(digest: &Digest) -> Scalar {
    let mut wide = Zeroizing::new([0; 64]);
    wide.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    Scalar::from_bytes_mod_order_wide(&wide)
}
