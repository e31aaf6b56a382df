// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Modular inversion in constant time (T. Pornin, "Optimized Binary GCD for Modular Inversion", 2020).
//!
//! Thirty-one steps of the binary algorithm at a time run on one word that holds the highest and lowest bits of both
//! numbers; what they did is then applied to the whole numbers as one linear map.

use super::words::{add_masked, equal, less, low_word, mask, negate_masked, shift_right, small, subtract_masked};

/// Steps per word: its 31 lower bits decide them exactly, its 33 upper bits closely enough.
const STEPS: u32 = 31;

/// What a batch of steps does: (a, b) becomes (f0 a + g0 b, f1 a + g1 b) / 2^31.
struct Map {
    f0: i64,
    g0: i64,
    f1: i64,
    g1: i64,
}

/// Computes the inverse of `value` modulo the odd `modulus`, which comes with its -modulus^-1 mod 2^64; tells whether there
/// is one: not if they have a common divisor. The value need not be below the modulus.
#[inline(never)]
pub(super) fn invert<const L: usize>(
    value: &[u64; L],
    modulus: &[u64; L],
    factor: u64,
    inverse: &mut [u64; L],
) -> bool {
    let (mut a, mut b) = (*value, *modulus);
    let mut u: [u64; L] = small(1);
    *inverse = [0; L];
    reduce([&mut a, &mut b], [&mut u, inverse], modulus, factor);
    equal(&b, &small::<L>(1))
}

/// Brings the greatest common divisor of two numbers into `b`, with a = value * u and b = value * v (mod modulus) throughout.
///
/// For numbers of any length, so that it is linked once.
#[inline(never)]
fn reduce([a, b]: [&mut [u64]; 2], [u, v]: [&mut [u64]; 2], modulus: &[u64], factor: u64) {
    // Each step shortens one of the two by a bit.
    for _ in 0..modulus.len().wrapping_mul(128).div_ceil(STEPS as usize) {
        let mut map = steps(a, b);
        map.apply(a, b, modulus);
        map.apply_modular(u, v, modulus, factor);
    }
}

impl Map {
    /// Applies the map to the numbers that it was made of; a result below zero changes its sign, and that of its row.
    fn apply(&mut self, a: &mut [u64], b: &mut [u64], modulus: &[u64]) {
        let [a_high, b_high] = self.combine(a, b, modulus, [0, 0]);
        let [a_sign, b_sign] = [a_high, b_high].map(|high| mask(high < 0));
        negate_masked(a, a_sign);
        negate_masked(b, b_sign);
        [self.f0, self.g0] = [self.f0, self.g0].map(|factor| negate_signed(factor, a_sign));
        [self.f1, self.g1] = [self.f1, self.g1].map(|factor| negate_signed(factor, b_sign));
    }

    /// Applies the map to two numbers modulo the modulus.
    fn apply_modular(&self, u: &mut [u64], v: &mut [u64], modulus: &[u64], factor: u64) {
        let [u_low, v_low] = [low_word(u), low_word(v)];
        // The multiple of the modulus that makes a sum divisible.
        let multiples = [(self.f0, self.g0), (self.f1, self.g1)].map(|(f, g)| {
            let lowest = u_low.wrapping_mul(f.cast_unsigned()).wrapping_add(v_low.wrapping_mul(g.cast_unsigned()));
            (lowest.wrapping_mul(factor) & (1u64 << STEPS).wrapping_sub(1)).cast_signed()
        });
        let [u_high, v_high] = self.combine(u, v, modulus, multiples);
        // |f| + |g| <= 2^31, so that each quotient is above -modulus and below twice the modulus.
        for (number, high) in [(u, u_high), (v, v_high)] {
            add_masked(number, modulus, mask(high < 0));
            let is_reduced = (high <= 0) & less(number, modulus);
            subtract_masked(number, modulus, !mask(is_reduced));
        }
    }

    /// Computes both rows with their multiples of the modulus, divided by 2^31, and returns what stands above the words.
    #[inline(always)]
    fn combine(&self, a: &mut [u64], b: &mut [u64], modulus: &[u64], [a_multiple, b_multiple]: [i64; 2]) -> [i64; 2] {
        let (mut a_carry, mut b_carry) = (0, 0);
        for ((a, b), modulus) in a.iter_mut().zip(b.iter_mut()).zip(modulus) {
            let row = |f, g, multiple| times(*a, f).wrapping_add(times(*b, g)).wrapping_add(times(*modulus, multiple));
            let (a_sum, b_sum) = (row(self.f0, self.g0, a_multiple), row(self.f1, self.g1, b_multiple));
            (*a, a_carry) = split_signed(a_sum.wrapping_add(i128::from(a_carry)));
            (*b, b_carry) = split_signed(b_sum.wrapping_add(i128::from(b_carry)));
        }
        shift_right(a, STEPS, a_carry.cast_unsigned());
        shift_right(b, STEPS, b_carry.cast_unsigned());
        [a_carry >> STEPS, b_carry >> STEPS]
    }
}

/// Runs a batch of steps on the word that stands for both numbers.
fn steps(a: &[u64], b: &[u64]) -> Map {
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
fn approximate(a: &[u64], b: &[u64]) -> (u64, u64) {
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

/// Splits a sum of products into its lowest word and what is carried, which a word holds: factors have 32 bits.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the lowest word is what is wanted, and the carry fits")]
const fn split_signed(sum: i128) -> (u64, i64) {
    (sum as u64, (sum >> 64) as i64)
}

/// Multiplies a word by a signed factor of at most 32 bits.
#[inline(always)]
fn times(word: u64, factor: i64) -> i128 {
    u128::from(word).cast_signed().wrapping_mul(i128::from(factor))
}

/// Negates where the mask is set.
const fn negate_signed(number: i64, mask: u64) -> i64 {
    (number ^ mask.cast_signed()).wrapping_sub(mask.cast_signed())
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
