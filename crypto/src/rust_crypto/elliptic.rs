// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Points and signatures over p256, p384, p521 and BN-P256; nothing that touches a private scalar varies in time with it.

use ecdsa::elliptic_curve::ff::{Field as _, PrimeField as _};
use ecdsa::elliptic_curve::group::Group as _;
use ecdsa::elliptic_curve::point::AffineCoordinates;
use ecdsa::elliptic_curve::{
    AffinePoint, CurveArithmetic, CurveGroup, FieldBytes, NonZeroScalar, ProjectivePoint, Scalar,
};
use ecdsa::{EcdsaCurve, Signature, hazmat};
use p256::NistP256;
use p384::NistP384;
use p521::NistP521;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::bn_p256::BnP256;
use crate::{CryptoError, EccCurve, EccPoint, EccPrivate, EccSignature, Rng};

// Bytes of fresh randomness in a nonce: the strength of the strongest curve.
const NONCE_SALT: usize = 32;

pub(super) fn public(private: &EccPrivate) -> Result<EccPoint, CryptoError> {
    match private.curve() {
        EccCurve::P256 => public_on::<NistP256>(private),
        EccCurve::P384 => public_on::<NistP384>(private),
        EccCurve::P521 => public_on::<NistP521>(private),
        EccCurve::BnP256 => public_on::<BnP256>(private),
    }
}

fn public_on<C>(private: &EccPrivate) -> Result<EccPoint, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let scalar = scalar::<C>(private)?;
    to_point::<C>(private.curve(), ProjectivePoint::<C>::mul_by_generator(&**scalar))
}

pub(super) fn on_curve(point: &EccPoint) -> bool {
    match point.curve() {
        EccCurve::P256 => affine::<NistP256>(point).is_ok(),
        EccCurve::P384 => affine::<NistP384>(point).is_ok(),
        EccCurve::P521 => affine::<NistP521>(point).is_ok(),
        EccCurve::BnP256 => affine::<BnP256>(point).is_ok(),
    }
}

pub(super) fn multiply(private: &EccPrivate, point: &EccPoint) -> Result<EccPoint, CryptoError> {
    match same_curve(private.curve(), point.curve())? {
        EccCurve::P256 => multiply_on::<NistP256>(private, point),
        EccCurve::P384 => multiply_on::<NistP384>(private, point),
        EccCurve::P521 => multiply_on::<NistP521>(private, point),
        EccCurve::BnP256 => multiply_on::<BnP256>(private, point),
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "the product of a point and a scalar has none")]
fn multiply_on<C>(private: &EccPrivate, point: &EccPoint) -> Result<EccPoint, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let base = ProjectivePoint::<C>::from(affine::<C>(point)?);
    let scalar = scalar::<C>(private)?;
    to_point::<C>(private.curve(), base * **scalar)
}

pub(super) fn sign(private: &EccPrivate, digest: &[u8], rng: &mut dyn Rng) -> Result<EccSignature, CryptoError> {
    let mut salt = Zeroizing::new([0; NONCE_SALT]);
    rng.fill(&mut *salt)?;
    sign_salted(private, digest, &*salt)
}

// RFC 6979, "Additional Data" variant: the salt enters the generator of k beside the key and the digest.
fn sign_salted(private: &EccPrivate, digest: &[u8], salt: &[u8]) -> Result<EccSignature, CryptoError> {
    // The digest of no bytes is the number zero; the generator below wants to see it.
    let digest = if digest.is_empty() { &[0] } else { digest };
    let curve = private.curve();
    match curve {
        EccCurve::P256 => {
            let scalar = scalar::<NistP256>(private)?;
            to_signature(curve, &hazmat::sign_prehashed_rfc6979::<_, Sha256>(&scalar, digest, salt).0)
        }
        EccCurve::P384 => {
            let scalar = scalar::<NistP384>(private)?;
            to_signature(curve, &hazmat::sign_prehashed_rfc6979::<_, Sha384>(&scalar, digest, salt).0)
        }
        EccCurve::P521 => {
            let scalar = scalar::<NistP521>(private)?;
            to_signature(curve, &hazmat::sign_prehashed_rfc6979::<_, Sha512>(&scalar, digest, salt).0)
        }
        EccCurve::BnP256 => {
            let scalar = scalar::<BnP256>(private)?;
            to_signature(curve, &hazmat::sign_prehashed_rfc6979::<_, Sha256>(&scalar, digest, salt).0)
        }
    }
}

pub(super) fn verify(public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError> {
    match same_curve(public.curve(), signature.curve())? {
        EccCurve::P256 => verify_on::<NistP256>(public, digest, signature),
        EccCurve::P384 => verify_on::<NistP384>(public, digest, signature),
        EccCurve::P521 => verify_on::<NistP521>(public, digest, signature),
        EccCurve::BnP256 => verify_on::<BnP256>(public, digest, signature),
    }
}

fn verify_on<C>(public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError>
where
    C: EcdsaCurve + CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let public = ProjectivePoint::<C>::from(affine::<C>(public)?);
    let (r, s) = (field_bytes::<C>(signature.r())?, field_bytes::<C>(signature.s())?);
    // Refuses r and s outside 1..n-1.
    let signature = Signature::<C>::from_scalars(r, s).map_err(|_| CryptoError::SignatureInvalid)?;
    hazmat::verify_prehashed(&public, digest, &signature).map_err(|_| CryptoError::SignatureInvalid)
}

pub(super) fn multiply_add(
    private: &EccPrivate,
    factor: &[u8],
    addend: &EccPrivate,
) -> Result<EccPrivate, CryptoError> {
    match same_curve(private.curve(), addend.curve())? {
        EccCurve::P256 => multiply_add_on::<NistP256>(private, factor, addend),
        EccCurve::P384 => multiply_add_on::<NistP384>(private, factor, addend),
        EccCurve::P521 => multiply_add_on::<NistP521>(private, factor, addend),
        EccCurve::BnP256 => multiply_add_on::<BnP256>(private, factor, addend),
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "arithmetic modulo the order has none")]
fn multiply_add_on<C: CurveArithmetic>(
    private: &EccPrivate,
    factor: &[u8],
    addend: &EccPrivate,
) -> Result<EccPrivate, CryptoError> {
    let (private_scalar, addend) = (scalar::<C>(private)?, scalar::<C>(addend)?);
    let factor = reduced::<C>(factor);
    if bool::from(factor.is_zero()) {
        return Err(CryptoError::PrivateOutOfRange);
    }
    let sum = Zeroizing::new(**addend + factor * **private_scalar);
    let bytes = Zeroizing::new(sum.to_repr());
    // Refuses zero.
    EccPrivate::new(private.curve(), &bytes)
}

// Reads a number of any length modulo the order, byte by byte.
#[expect(clippy::arithmetic_side_effects, reason = "arithmetic modulo the order has none")]
fn reduced<C: CurveArithmetic>(number: &[u8]) -> Scalar<C> {
    let base = Scalar::<C>::from(256u64);
    number.iter().fold(Scalar::<C>::ZERO, |sum, byte| sum * base + Scalar::<C>::from(u64::from(*byte)))
}

pub(super) fn schnorr_commitment(public: &EccPoint, signature: &EccSignature) -> Result<EccPoint, CryptoError> {
    match same_curve(public.curve(), signature.curve())? {
        EccCurve::P256 => schnorr_commitment_on::<NistP256>(public, signature),
        EccCurve::P384 => schnorr_commitment_on::<NistP384>(public, signature),
        EccCurve::P521 => schnorr_commitment_on::<NistP521>(public, signature),
        EccCurve::BnP256 => schnorr_commitment_on::<BnP256>(public, signature),
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "arithmetic on points and modulo the order has none")]
fn schnorr_commitment_on<C>(public: &EccPoint, signature: &EccSignature) -> Result<EccPoint, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let key = ProjectivePoint::<C>::from(affine::<C>(public)?);
    let s = NonZeroScalar::<C>::from_repr(field_bytes::<C>(signature.s())?).into_option();
    let s = s.ok_or(CryptoError::SignatureInvalid)?;
    let commitment = ProjectivePoint::<C>::mul_by_generator(&s) - key * reduced::<C>(signature.r());
    to_point::<C>(public.curve(), commitment).map_err(|_| CryptoError::SignatureInvalid)
}

fn same_curve(one: EccCurve, other: EccCurve) -> Result<EccCurve, CryptoError> {
    if one == other { Ok(one) } else { Err(CryptoError::CurveMismatch) }
}

fn field_bytes<C: CurveArithmetic>(bytes: &[u8]) -> Result<FieldBytes<C>, CryptoError> {
    FieldBytes::<C>::try_from(bytes)
        .map_err(|_| CryptoError::Length { expected: FieldBytes::<C>::default().len(), actual: bytes.len() })
}

fn scalar<C: CurveArithmetic>(private: &EccPrivate) -> Result<Zeroizing<NonZeroScalar<C>>, CryptoError> {
    let bytes = Zeroizing::new(field_bytes::<C>(private.as_bytes())?);
    let scalar = NonZeroScalar::<C>::from_repr(*bytes).into_option().ok_or(CryptoError::PrivateOutOfRange)?;
    Ok(Zeroizing::new(scalar))
}

// Refuses coordinates that are not below the field prime or do not satisfy the equation; infinity has none.
fn affine<C>(point: &EccPoint) -> Result<AffinePoint<C>, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let (x, y) = (field_bytes::<C>(point.x())?, field_bytes::<C>(point.y())?);
    AffinePoint::<C>::from_coordinates(&x, &y).into_option().ok_or(CryptoError::PointNotOnCurve)
}

fn to_point<C>(curve: EccCurve, point: ProjectivePoint<C>) -> Result<EccPoint, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    if bool::from(point.is_identity()) {
        return Err(CryptoError::PointAtInfinity);
    }
    let affine = point.to_affine();
    EccPoint::new(curve, &affine.x(), &affine.y())
}

fn to_signature<C: EcdsaCurve>(curve: EccCurve, signature: &Signature<C>) -> Result<EccSignature, CryptoError> {
    let (r, s) = signature.split_bytes();
    EccSignature::new(curve, &r, &s)
}

#[cfg(test)]
mod tests;
