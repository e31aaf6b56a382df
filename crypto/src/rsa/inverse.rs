// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Modular inversion in constant time (T. Pornin, "Optimized Binary GCD for Modular Inversion", 2020).
//!
//! Thirty-one steps of the binary algorithm at a time run on one word that holds the highest and lowest bits of both
//! numbers; what they did is then applied to the whole numbers as one linear map.

use super::words::{add, equal, low_word, mask, select, small, split, subtract};

/// Steps per word: its 31 lower bits decide them exactly, its 33 upper bits closely enough.
const STEPS: u32 = 31;

/// What a batch of steps does: (a, b) becomes (f0 a + g0 b, f1 a + g1 b) / 2^31.
struct Map {
    f0: i64,
    g0: i64,
    f1: i64,
    g1: i64,
}

/// Computes the inverse of `value` modulo the odd `modulus`, which comes with its -modulus^-1 mod 2^64; `None` if
/// they have a common divisor. The value need not be below the modulus.
pub(super) fn invert<const L: usize>(value: &[u64; L], modulus: &[u64; L], factor: u64) -> Option<[u64; L]> {
    let (mut a, mut b) = (*value, *modulus);
    // a = value * u and b = value * v (mod modulus), throughout.
    let (mut u, mut v) = (small(1), [0; L]);
    // Each step shortens one of the two by a bit.
    for _ in 0..L.wrapping_mul(128).div_ceil(STEPS as usize) {
        let mut map = steps(&a, &b);
        let (new_a, negative_a) = combine(&a, &b, map.f0, map.g0);
        let (new_b, negative_b) = combine(&a, &b, map.f1, map.g1);
        (a, b) = (new_a, new_b);
        negate_if(negative_a, &mut map.f0, &mut map.g0);
        negate_if(negative_b, &mut map.f1, &mut map.g1);
        let new_u = combine_modular(&u, &v, map.f0, map.g0, modulus, factor);
        v = combine_modular(&u, &v, map.f1, map.g1, modulus, factor);
        u = new_u;
    }
    equal(&b, &small(1)).then_some(v)
}

/// Runs a batch of steps on the word that stands for both numbers.
fn steps<const L: usize>(a: &[u64; L], b: &[u64; L]) -> Map {
    let (mut a, mut b) = approximate(a, b);
    let mut map = Map { f0: 1, g0: 0, f1: 0, g1: 1 };
    for _ in 0..STEPS {
        let odd = mask(a & 1 == 1);
        let swap = odd & mask(a < b);
        exchange(swap, &mut a, &mut b);
        exchange_signed(swap, &mut map.f0, &mut map.f1);
        exchange_signed(swap, &mut map.g0, &mut map.g1);
        a = a.wrapping_sub(b & odd) >> 1;
        let odd = odd.cast_signed();
        map.f0 = map.f0.wrapping_sub(map.f1 & odd);
        map.g0 = map.g0.wrapping_sub(map.g1 & odd);
        map.f1 <<= 1;
        map.g1 <<= 1;
    }
    map
}

/// Returns for each number a word of its 33 highest bits (at the position of the longer one) and its 31 lowest.
fn approximate<const L: usize>(a: &[u64; L], b: &[u64; L]) -> (u64, u64) {
    // The highest word that is not zero in both, and the one below it; the flags are masks.
    let ([mut a_high, mut a_next], [mut b_high, mut b_next]) = ([0u64; 2], [0u64; 2]);
    let (mut want_high, mut want_next) = (u64::MAX, u64::MAX);
    for (a, b) in a.iter().zip(b).rev() {
        a_high = (a_high & !want_high) | (a & want_high);
        b_high = (b_high & !want_high) | (b & want_high);
        a_next = (a_next & !want_next) | (a & want_next);
        b_next = (b_next & !want_next) | (b & want_next);
        want_next = want_high;
        want_high &= mask((a | b) == 0);
    }
    let shift = (a_high | b_high).leading_zeros();
    let lower = (1u64 << STEPS).wrapping_sub(1);
    let join = |high: u64, next: u64, low: u64| {
        let upper = high.wrapping_shl(shift) | (next >> 1).wrapping_shr(63u32.wrapping_sub(shift));
        // When the next word was never taken, both numbers are one word, which says all.
        (((upper & !lower) | (low & lower)) & !want_next) | (low & want_next)
    };
    (join(a_high, a_next, low_word(a)), join(b_high, b_next, low_word(b)))
}

/// Computes |a f + b g| / 2^31, and whether it was negative.
fn combine<const L: usize>(a: &[u64; L], b: &[u64; L], f: i64, g: i64) -> ([u64; L], bool) {
    let (value, high) = divide(a.iter().zip(b).map(|(a, b)| times(*a, f).wrapping_add(times(*b, g))));
    let negative = high < 0;
    let (negated, _) = subtract(&[0; L], &value);
    (select(mask(negative), &negated, &value), negative)
}

/// Computes (a f + b g) / 2^31 modulo the modulus.
fn combine_modular<const L: usize>(
    a: &[u64; L],
    b: &[u64; L],
    f: i64,
    g: i64,
    modulus: &[u64; L],
    factor: u64,
) -> [u64; L] {
    let lowest = low_word(a).wrapping_mul(f.cast_unsigned()).wrapping_add(low_word(b).wrapping_mul(g.cast_unsigned()));
    // The multiple of the modulus that makes the sum divisible.
    let multiple = (lowest.wrapping_mul(factor) & (1u64 << STEPS).wrapping_sub(1)).cast_signed();
    let (value, high) = divide(
        a.iter()
            .zip(b)
            .zip(modulus)
            .map(|((a, b), modulus)| times(*a, f).wrapping_add(times(*b, g)).wrapping_add(times(*modulus, multiple))),
    );
    // |f| + |g| <= 2^31, so that the quotient is above -modulus and below twice the modulus.
    let (raised, _) = add(&value, modulus);
    let value = select(mask(high < 0), &raised, &value);
    let (lowered, borrow) = subtract(&value, modulus);
    select(mask((high <= 0) & borrow), &value, &lowered)
}

/// Adds up signed terms of rising weight, divides by 2^31, and returns the words and what stands above them.
#[inline(always)]
fn divide<const L: usize>(mut terms: impl Iterator<Item = i128>) -> ([u64; L], i64) {
    let mut carry = 0i128;
    let mut next_word = || {
        let sum = carry.wrapping_add(terms.next().unwrap_or(0));
        carry = sum >> 64;
        split(sum.cast_unsigned()).0
    };
    let mut below = next_word();
    let mut quotient = [0; L];
    for out in &mut quotient {
        let word = next_word();
        *out = (below >> STEPS) | (word << (64 - STEPS));
        below = word;
    }
    (quotient, below.cast_signed() >> STEPS)
}

/// Multiplies a word by a signed factor of at most 32 bits.
#[inline(always)]
fn times(word: u64, factor: i64) -> i128 {
    u128::from(word).cast_signed().wrapping_mul(i128::from(factor))
}

fn negate_if(negative: bool, f: &mut i64, g: &mut i64) {
    let sign = mask(negative).cast_signed();
    *f = (*f ^ sign).wrapping_sub(sign);
    *g = (*g ^ sign).wrapping_sub(sign);
}

#[inline(always)]
const fn exchange(mask: u64, a: &mut u64, b: &mut u64) {
    let difference = (*a ^ *b) & mask;
    *a ^= difference;
    *b ^= difference;
}

#[inline(always)]
const fn exchange_signed(mask: u64, a: &mut i64, b: &mut i64) {
    let difference = (*a ^ *b) & mask.cast_signed();
    *a ^= difference;
    *b ^= difference;
}
