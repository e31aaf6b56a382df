// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Points and signatures over p256, p384, p521 and BN-P256; nothing that touches a private scalar varies in time with it.

use ecdsa::elliptic_curve::ff::{Field as _, PrimeField as _};
use ecdsa::elliptic_curve::group::Group as _;
use ecdsa::elliptic_curve::ops::{Invert as _, LinearCombination as _};
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
use super::selection::Selection;
use crate::{CryptoError, EccCurve, EccPoint, EccPrivate, EccSignature, MAX_ECC_BYTES, Rng};

// Bytes of fresh randomness in a nonce: the strength of the strongest curve.
const NONCE_SALT: usize = 32;

/// Names the type of a curve; one whose arithmetic is not linked is refused.
macro_rules! on_curve {
    ($selection:ty, $curve:expr, $C:ident => $result:expr) => {
        match $curve {
            EccCurve::P256 => on_curve!(@ NistP256, $C => $result),
            EccCurve::P384 => on_curve!(@ NistP384, $C => $result),
            EccCurve::P521 => on_curve!(@ NistP521, $C => $result),
            EccCurve::BnP256 if <$selection>::OFFER.bn_p256 => on_curve!(@ BnP256, $C => $result),
            EccCurve::BnP256 => Err(CryptoError::Absent),
        }
    };
    (@ $curve:ty, $C:ident => $result:expr) => {{
        type $C = $curve;
        $result
    }};
}

pub(super) fn public<S: Selection>(private: &EccPrivate) -> Result<EccPoint, CryptoError> {
    on_curve!(S, private.curve(), C => public_on::<C>(private))
}

/// A curve with the hash function that makes its nonces, of the strength of the curve.
trait NonceCurve: CurveArithmetic {
    type NonceHash: sha2::Digest + BlockSizeUser;
}

impl NonceCurve for NistP256 {
    type NonceHash = Sha256;
}

impl NonceCurve for NistP384 {
    type NonceHash = Sha384;
}

impl NonceCurve for NistP521 {
    type NonceHash = Sha512;
}

impl NonceCurve for BnP256 {
    type NonceHash = Sha256;
}

fn public_on<C>(private: &EccPrivate) -> Result<EccPoint, CryptoError>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let scalar = scalar::<C>(private)?;
    to_point::<C>(private.curve(), multiply_generator::<C>(&scalar))
}

pub(super) fn on_curve<S: Selection>(point: &EccPoint) -> bool {
    on_curve!(S, point.curve(), C => affine::<C>(point).map(drop)).is_ok()
}

pub(super) fn multiply<S: Selection>(private: &EccPrivate, point: &EccPoint) -> Result<EccPoint, CryptoError> {
    on_curve!(S, same_curve(private.curve(), point.curve())?, C => multiply_on::<C>(private, point))
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

// Hosted programs have a stack for what is fastest; firmware takes what needs least of it.
#[expect(clippy::arithmetic_side_effects, reason = "points have none")]
fn multiply_point<C: CurveArithmetic>(point: &ProjectivePoint<C>, scalar: &Scalar<C>) -> ProjectivePoint<C> {
    if cfg!(feature = "tables") { *point * scalar } else { multiply_sparingly::<C>(point, scalar) }
}

// As `ProjectivePoint::mul` does it, but with its table once on the stack, and beside nothing else.
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "points have none")]
fn multiply_sparingly<C: CurveArithmetic>(point: &ProjectivePoint<C>, scalar: &Scalar<C>) -> ProjectivePoint<C> {
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

// Computes `[u]G + [v]Q` of public numbers; in firmware one after the other, in half of the stack that both need at once.
#[inline(never)]
#[expect(clippy::arithmetic_side_effects, reason = "the sum of two points has none")]
fn combine<C: CurveArithmetic>(u: &Scalar<C>, point: &ProjectivePoint<C>, v: &Scalar<C>) -> ProjectivePoint<C> {
    if cfg!(feature = "tables") {
        return ProjectivePoint::<C>::lincomb_vartime(&[(ProjectivePoint::<C>::generator(), *u), (*point, *v)]);
    }
    let product = multiply_point::<C>(point, v);
    multiply_generator::<C>(u) + product
}

pub(super) fn sign<S: Selection>(
    private: &EccPrivate,
    digest: &[u8],
    rng: &mut dyn Rng,
) -> Result<EccSignature, CryptoError> {
    let mut salt = Zeroizing::new([0; NONCE_SALT]);
    rng.fill(&mut *salt)?;
    sign_salted::<S>(private, digest, &*salt)
}

// RFC 6979, "Additional Data" variant: the salt enters the generator of k beside the key and the digest.
fn sign_salted<S: Selection>(private: &EccPrivate, digest: &[u8], salt: &[u8]) -> Result<EccSignature, CryptoError> {
    // The digest of no bytes is the number zero; the generator below wants to see it.
    let digest = if digest.is_empty() { &[0] } else { digest };
    on_curve!(S, private.curve(), C => sign_on::<C>(private, digest, salt))
}

#[expect(clippy::arithmetic_side_effects, reason = "arithmetic modulo the order has none")]
fn sign_on<C>(private: &EccPrivate, digest: &[u8], salt: &[u8]) -> Result<EccSignature, CryptoError>
where
    C: NonceCurve,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
{
    let curve = private.curve();
    let scalar = scalar::<C>(private)?;
    let nonce = nonce::<C>(&scalar, digest, salt);
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
fn nonce<C: NonceCurve>(private: &NonZeroScalar<C>, digest: &[u8], salt: &[u8]) -> Zeroizing<NonZeroScalar<C>> {
    let key = Zeroizing::new(private.to_repr());
    let order = C::ORDER;
    let mut generator = KGenerator::<C::NonceHash, C::Uint>::new(&key, digest, salt, &order);
    loop {
        let mut bytes = Zeroizing::new(FieldBytes::<C>::default());
        generator.fill_next_k(&mut bytes);
        if let Some(nonce) = NonZeroScalar::<C>::from_repr(*bytes).into_option() {
            return Zeroizing::new(nonce);
        }
    }
}

pub(super) fn verify<S: Selection>(
    public: &EccPoint,
    digest: &[u8],
    signature: &EccSignature,
) -> Result<(), CryptoError> {
    on_curve!(S, same_curve(public.curve(), signature.curve())?, C => verify_on::<C>(public, digest, signature))
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

pub(super) fn multiply_add<S: Selection>(
    private: &EccPrivate,
    factor: &[u8],
    addend: &EccPrivate,
) -> Result<EccPrivate, CryptoError> {
    on_curve!(S, same_curve(private.curve(), addend.curve())?, C => multiply_add_on::<C>(private, factor, addend))
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

// Reads a number of any length modulo the order, word by word.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "arithmetic modulo the order has none, and a shifted word drops nothing"
)]
fn reduced<C: CurveArithmetic>(number: &[u8]) -> Scalar<C> {
    let base = Scalar::<C>::from(u64::MAX) + Scalar::<C>::ONE;
    let word = |bytes: &[u8]| bytes.iter().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
    number.rchunks(8).rev().fold(Scalar::<C>::ZERO, |sum, bytes| sum * base + Scalar::<C>::from(word(bytes)))
}

pub(super) fn schnorr_commitment<S: Selection>(
    public: &EccPoint,
    signature: &EccSignature,
) -> Result<EccPoint, CryptoError> {
    on_curve!(S, same_curve(public.curve(), signature.curve())?, C => schnorr_commitment_on::<C>(public, signature))
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

#[inline(never)] // What becomes of a product is not on the stack while it is computed.
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
