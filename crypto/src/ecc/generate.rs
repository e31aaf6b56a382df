// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Private scalars from extra random bits (FIPS 186-5, "ECC Key Pair Generation using Extra Random Bits"), and
//! coordinates from numbers of any length.

use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{EccCurve, MAX_ECC_BYTES};
use crate::{CryptoError, Rng};

// 521 + 64 bits are 74 bytes.
const MAX_SEED_BYTES: usize = 74;
// 576 bits: the 521 of the longest order and room for the doubling below.
const LIMBS: usize = 9;

/// Writes d = (c mod (n - 1)) + 1 for a string c of `order_bits + 64` random bits, aligned to the end.
pub(super) fn private_scalar(
    curve: EccCurve,
    rng: &mut dyn Rng,
    scalar: &mut [u8; MAX_ECC_BYTES],
) -> Result<(), CryptoError> {
    let bits = curve.order_bits().saturating_add(64);
    let mut seed = Zeroizing::new([0u8; MAX_SEED_BYTES]);
    let (seed, _) = seed.split_at_mut_checked(bits.div_ceil(8)).unwrap_or_default();
    rng.fill(seed)?;
    if let Some(first) = seed.first_mut() {
        *first &= 0xff_u8.wrapping_shr(seed_surplus(bits));
    }

    let mut remainder = remainder(seed, curve, &order_minus_one(curve));
    // The remainder is at most n - 2, so one more is at most n - 1.
    add_one(&mut remainder);

    store(&remainder, scalar);
    Ok(())
}

/// Writes a number of any length modulo the field prime, aligned to the end.
pub(super) fn coordinate(curve: EccCurve, number: &[u8], reduced: &mut [u8; MAX_ECC_BYTES]) {
    store(&remainder(number, curve, &limbs(curve.parameters().p)), reduced);
}

fn store(limbs: &Limbs, number: &mut [u8; MAX_ECC_BYTES]) {
    let bytes = limbs.iter().flat_map(|limb| limb.to_le_bytes());
    number.iter_mut().rev().zip(bytes).for_each(|(to, from)| *to = from);
}

// Bit by bit, in a time that depends on the lengths alone. The first octets are fewer bits than the modulus has (order and
// field prime of these curves are as long), so that they are their own remainder.
fn remainder(number: &[u8], curve: EccCurve, modulus: &Limbs) -> Zeroizing<Limbs> {
    let below = curve.order_bits().saturating_sub(1) / 8;
    let (first, rest) = number.split_at_checked(below).unwrap_or((number, &[]));
    let mut remainder = Zeroizing::new([0u64; LIMBS]);
    read(first, &mut remainder);
    let mut difference = Zeroizing::new([0u64; LIMBS]);
    for byte in rest {
        for shift in (0..8).rev() {
            double_and_add(&mut remainder, u64::from((byte >> shift) & 1));
            subtract_unless_below(&mut remainder, modulus, &mut difference);
        }
    }
    remainder
}

type Limbs = [u64; LIMBS];

// n is odd, so n - 1 is n without its lowest bit.
fn order_minus_one(curve: EccCurve) -> Limbs {
    let mut limbs = limbs(curve.parameters().n);
    if let Some(lowest) = limbs.first_mut() {
        *lowest &= !1;
    }
    limbs
}

fn limbs(number: &[u8]) -> Limbs {
    let mut limbs = [0; LIMBS];
    read(number, &mut limbs);
    limbs
}

// Into limbs that are zero. A secret is read where it is wiped, since what a function returns may leave a copy.
fn read(number: &[u8], limbs: &mut Limbs) {
    let mut bytes = number.iter().rev();
    for limb in limbs {
        for shift in (0..64).step_by(8) {
            *limb |= u64::from(bytes.next().copied().unwrap_or(0)) << shift;
        }
    }
}

fn double_and_add(number: &mut Limbs, bit: u64) {
    let mut carry = bit;
    for limb in number {
        let out = *limb >> 63;
        *limb = (*limb << 1) | carry;
        carry = out;
    }
}

fn add_one(number: &mut Limbs) {
    let mut carry = 1;
    for limb in number {
        let (sum, overflow) = limb.overflowing_add(carry);
        *limb = sum;
        carry = u64::from(overflow);
    }
}

// Always computes the difference, then takes it or not without a branch: the number is secret.
fn subtract_unless_below(number: &mut Limbs, modulus: &Limbs, difference: &mut Limbs) {
    let mut borrow = 0;
    for ((out, a), b) in difference.iter_mut().zip(number.iter()).zip(modulus) {
        let (partial, first) = a.overflowing_sub(*b);
        let (result, second) = partial.overflowing_sub(borrow);
        *out = result;
        borrow = u64::from(first | second);
    }

    let take = borrow.ct_eq(&0);
    for (limb, reduced) in number.iter_mut().zip(difference.iter()) {
        limb.conditional_assign(reduced, take);
    }
}

// Bits of the first byte that are more than asked for.
fn seed_surplus(bits: usize) -> u32 {
    match bits % 8 {
        0 => 0,
        used => 8u32.saturating_sub(u32::try_from(used).unwrap_or(8)),
    }
}
