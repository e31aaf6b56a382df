// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Points and signatures over p256, p384, p521 and BN-P256; nothing that touches a private scalar varies in time with it.

use ecdsa::elliptic_curve::ff::{Field as _, PrimeField as _};
use ecdsa::elliptic_curve::group::Group as _;
use ecdsa::elliptic_curve::ops::Invert as _;
use ecdsa::elliptic_curve::point::AffineCoordinates;
use ecdsa::elliptic_curve::{
    AffinePoint, CurveArithmetic, CurveGroup, FieldBytes, NonZeroScalar, ProjectivePoint, Scalar,
};
use p256::NistP256;
use p384::NistP384;
use p521::NistP521;
use rfc6979::KGenerator;
use sha2::digest::block_api::BlockSizeUser;
use sha2::{Sha256, Sha384, Sha512};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use super::bn_p256::BnP256;

use crate::{CryptoError, EccCurve, EccPoint, EccPrivate, EccSignature, MAX_ECC_BYTES, Rng};

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
    to_point::<C>(private.curve(), multiply_generator::<C>(&scalar))
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

fn multiply_on<C>(private: &EccPrivate, point: &EccPoint) -> Result<EccPoint, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let base = ProjectivePoint::<C>::from(affine::<C>(point)?);
    let scalar = scalar::<C>(private)?;
    to_point::<C>(private.curve(), multiply_point::<C>(&base, &scalar))
}

// The table of the base point is no part of the stack where there is one.
fn multiply_generator<C: CurveArithmetic>(scalar: &Scalar<C>) -> ProjectivePoint<C> {
    if cfg!(feature = "tables") {
        ProjectivePoint::<C>::mul_by_generator(scalar)
    } else {
        multiply_point::<C>(&ProjectivePoint::<C>::generator(), scalar)
    }
}

// As `ProjectivePoint::mul` does it, but with its table once on the stack, and beside nothing else.
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "points have none")]
fn multiply_point<C: CurveArithmetic>(point: &ProjectivePoint<C>, scalar: &Scalar<C>) -> ProjectivePoint<C> {
    let mut multiples = [*point; 8];
    let mut multiple = *point;
    for slot in multiples.iter_mut().skip(1) {
        multiple += point;
        *slot = multiple;
    }
    let mut digits = Zeroizing::new([0i8; 2 * MAX_ECC_BYTES + 1]);
    recode(&Zeroizing::new(scalar.to_repr()), &mut digits);
    let mut sum = ProjectivePoint::<C>::identity();
    for digit in digits.iter().rev() {
        for _ in 0..4 {
            sum = sum.double();
        }
        sum += select::<C>(&multiples, *digit);
    }
    sum
}

// Reads the multiple by a digit, zero and negative ones too, by reading all of them.
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "the inverse of a point has none")]
fn select<C: CurveArithmetic>(multiples: &[ProjectivePoint<C>; 8], digit: i8) -> ProjectivePoint<C> {
    let magnitude = digit.unsigned_abs();
    let mut found = ProjectivePoint::<C>::identity();
    for (number, multiple) in (1u8..).zip(multiples) {
        found.conditional_assign(multiple, magnitude.ct_eq(&number));
    }
    let negated = -found;
    found.conditional_assign(&negated, Choice::from(digit.cast_unsigned() >> 7));
    found
}

// Writes a big-endian number as digits to the base 16 between -8 and 8, the lowest first.
#[expect(clippy::arithmetic_side_effects, reason = "a nibble and a carry are at most 16")]
fn recode(number: &[u8], digits: &mut [i8; 2 * MAX_ECC_BYTES + 1]) {
    let nibbles = number.iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
    let mut carry = 0;
    for (digit, nibble) in digits.iter_mut().zip(nibbles.chain([0])) {
        let sum = nibble.cast_signed() + carry;
        carry = (sum + 8) >> 4;
        *digit = sum - (carry << 4);
    }
}

// One after the other, in half of the stack that both need at once.
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "the sum of two points has none")]
fn combine<C: CurveArithmetic>(u: &Scalar<C>, point: &ProjectivePoint<C>, v: &Scalar<C>) -> ProjectivePoint<C> {
    let product = multiply_point::<C>(point, v);
    multiply_generator::<C>(u) + product
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
    match private.curve() {
        EccCurve::P256 => sign_on::<NistP256, Sha256>(private, digest, salt),
        EccCurve::P384 => sign_on::<NistP384, Sha384>(private, digest, salt),
        EccCurve::P521 => sign_on::<NistP521, Sha512>(private, digest, salt),
        EccCurve::BnP256 => sign_on::<BnP256, Sha256>(private, digest, salt),
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "arithmetic modulo the order has none")]
fn sign_on<C, D>(private: &EccPrivate, digest: &[u8], salt: &[u8]) -> Result<EccSignature, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
    D: sha2::Digest + BlockSizeUser,
{
    let curve = private.curve();
    let scalar = scalar::<C>(private)?;
    let nonce = nonce::<C, D>(&scalar, digest, salt);
    let commitment = to_point::<C>(curve, multiply_generator::<C>(&nonce))?;
    let r = reduced::<C>(commitment.x());
    let s = Zeroizing::new(*nonce.invert() * (leftmost::<C>(curve, digest) + r * **scalar));
    // One nonce in 2^256 gives a half of zero, and would have to be followed by another one.
    if bool::from(r.is_zero() | s.is_zero()) {
        return Err(CryptoError::SignatureInvalid);
    }
    EccSignature::new(curve, &r.to_repr(), &s.to_repr())
}

// Reads as much of a digest as the order has bits; digests that are longer are so by whole bytes.
fn leftmost<C: CurveArithmetic>(curve: EccCurve, digest: &[u8]) -> Scalar<C> {
    reduced::<C>(digest.get(..curve.coordinate_size()).unwrap_or(digest))
}

// RFC 6979, "Generation of k"; the generator is off the stack when its nonce is used.
#[inline(never)]
fn nonce<C, D>(private: &NonZeroScalar<C>, digest: &[u8], salt: &[u8]) -> Zeroizing<NonZeroScalar<C>>
where
    C: CurveArithmetic,
    D: sha2::Digest + BlockSizeUser,
{
    let key = Zeroizing::new(private.to_repr());
    let order = C::ORDER;
    let mut generator = KGenerator::<D, C::Uint>::new(&key, digest, salt, &order);
    loop {
        let mut bytes = Zeroizing::new(FieldBytes::<C>::default());
        generator.fill_next_k(&mut bytes);
        if let Some(nonce) = NonZeroScalar::<C>::from_repr(*bytes).into_option() {
            return Zeroizing::new(nonce);
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

#[expect(clippy::arithmetic_side_effects, reason = "arithmetic modulo the order has none")]
fn verify_on<C>(public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let curve = public.curve();
    let public = ProjectivePoint::<C>::from(affine::<C>(public)?);
    let r = part::<C>(signature.r())?;
    let inverse = part::<C>(signature.s())?.invert_vartime();
    let u = leftmost::<C>(curve, digest) * *inverse;
    let point = combine::<C>(&u, &public, &(*r * *inverse));
    let point = to_point::<C>(curve, point).map_err(|_| CryptoError::SignatureInvalid)?;
    if reduced::<C>(point.x()) == *r { Ok(()) } else { Err(CryptoError::SignatureInvalid) }
}

// Reads a half of a signature, which is between 1 and n - 1.
fn part<C: CurveArithmetic>(bytes: &[u8]) -> Result<NonZeroScalar<C>, CryptoError> {
    let part = NonZeroScalar::<C>::from_repr(field_bytes::<C>(bytes)?).into_option();
    part.ok_or(CryptoError::SignatureInvalid)
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
    let s = part::<C>(signature.s())?;
    let commitment = combine::<C>(&s, &key, &-reduced::<C>(signature.r()));
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

#[cfg(test)]
mod tests;
