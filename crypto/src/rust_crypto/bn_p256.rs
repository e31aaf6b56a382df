// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Barreto-Naehrig curve of 256 bits, y² = x³ + 3 (TCG Algorithm Registry, "TPM_ECC_BN_P256"; ISO/IEC 15946-5),
//! over the constant-time Montgomery fields and complete formulas that the other curves use.

use ecdsa::EcdsaCurve;
use ecdsa::elliptic_curve::bigint::{ArrayEncoding, Limb, Odd, U256};
use ecdsa::elliptic_curve::consts::U32;
use ecdsa::elliptic_curve::ff::PrimeField;
use ecdsa::elliptic_curve::hazmat::FieldArithmetic;
use ecdsa::elliptic_curve::ops::Reduce;
use ecdsa::elliptic_curve::point::{PointCompaction, PointCompression};
use ecdsa::elliptic_curve::scalar::{FromUintUnchecked, IsHigh};
use ecdsa::elliptic_curve::subtle::{Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, CtOption};
use ecdsa::elliptic_curve::{self, Curve, CurveArithmetic, FieldBytes, PrimeCurve, PrimeCurveArithmetic};
use primeorder::mul_backend::VariableOnly;
use primeorder::{PrimeCurveParams, point_arithmetic, wnaf};

const P_HEX: &str = "fffffffffffcf0cd46e5f25eee71a49f0cdc65fb12980a82d3292ddbaed33013";
const N_HEX: &str = "fffffffffffcf0cd46e5f25eee71a49e0cdc65fb1299921af62d536cd10b500d";

/// The curve as a type.
#[derive(Copy, Clone, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub struct BnP256;

impl Curve for BnP256 {
    type FieldBytesSize = U32;
    type Uint = U256;
    const ORDER: Odd<U256> = Odd::<U256>::from_be_hex(N_HEX);
}

impl PrimeCurve for BnP256 {}

impl PointCompression for BnP256 {
    const COMPRESS_POINTS: bool = false;
}

impl PointCompaction for BnP256 {
    const COMPACT_POINTS: bool = false;
}

impl CurveArithmetic for BnP256 {
    type AffinePoint = primeorder::AffinePoint<Self>;
    type ProjectivePoint = primeorder::ProjectivePoint<Self>;
    type Scalar = Scalar;
}

impl FieldArithmetic for BnP256 {
    type FieldElement = field::FieldElement;
}

impl PrimeCurveArithmetic for BnP256 {
    type CurveGroup = primeorder::ProjectivePoint<Self>;
}

impl PrimeCurveParams for BnP256 {
    type PointArithmetic = point_arithmetic::EquationAIsZero;
    type Backend = VariableOnly;
    const EQUATION_A: field::FieldElement = field::FieldElement::ZERO;
    const EQUATION_B: field::FieldElement = field::FieldElement::from_u64(3);
    const GENERATOR: (field::FieldElement, field::FieldElement) =
        (field::FieldElement::ONE, field::FieldElement::from_u64(2));
}

impl EcdsaCurve for BnP256 {
    const NORMALIZE_S: bool = false;
}

/// The field of the coordinates.
mod field {
    use super::{Choice, ConstantTimeEq, CtOption, P_HEX, PrimeField, U256};

    // 2 generates the multiplicative group: checked against the factors of p - 1.
    primefield::monty_field_params! {
        name: FieldParams,
        modulus: P_HEX,
        uint: U256,
        byte_order: primefield::ByteOrder::BigEndian,
        multiplicative_generator: 2,
        doc: "Montgomery parameters of the field prime."
    }

    primefield::monty_field_element! {
        name: FieldElement,
        params: FieldParams,
        uint: U256,
        doc: "A coordinate."
    }

    primefield::monty_field_arithmetic! {
        name: FieldElement,
        params: FieldParams,
        uint: U256
    }

    impl super::elliptic_curve::ops::BatchInvert for FieldElement {}
}

// 2 generates the multiplicative group: checked against the factors of n - 1.
primefield::monty_field_params! {
    name: ScalarParams,
    modulus: N_HEX,
    uint: U256,
    byte_order: primefield::ByteOrder::BigEndian,
    multiplicative_generator: 2,
    doc: "Montgomery parameters of the group order."
}

primefield::monty_field_element! {
    name: Scalar,
    params: ScalarParams,
    uint: U256,
    doc: "A scalar."
}

primefield::monty_field_arithmetic! {
    name: Scalar,
    params: ScalarParams,
    uint: U256
}

elliptic_curve::scalar_impls!(BnP256, Scalar);

wnaf::impl_wnaf_size_for_scalar!(Scalar);

impl AsRef<Self> for Scalar {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl FromUintUnchecked for Scalar {
    type Uint = U256;

    fn from_uint_unchecked(uint: U256) -> Self {
        Self::from_uint_unchecked(uint)
    }
}

impl IsHigh for Scalar {
    fn is_high(&self) -> Choice {
        const HALF: U256 = BnP256::ORDER.as_ref().shr_vartime(1);
        self.to_canonical().ct_gt(&HALF)
    }
}

// The order is more than half of 2^256: one subtraction, made always and taken or not without a branch.
impl Reduce<U256> for Scalar {
    fn reduce(number: &U256) -> Self {
        let (reduced, borrow) = number.borrowing_sub(&BnP256::ORDER, Limb::ZERO);
        let below = Choice::from(u8::from(borrow.0 & 1 == 1));
        Self::from_uint_unchecked(U256::conditional_select(&reduced, number, below))
    }
}

impl Reduce<FieldBytes<BnP256>> for Scalar {
    fn reduce(bytes: &FieldBytes<BnP256>) -> Self {
        <Self as Reduce<U256>>::reduce(&U256::from_be_byte_array(*bytes))
    }
}
