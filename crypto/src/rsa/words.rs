// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Unsigned integers as arrays of 64-bit words, least significant first, in constant time.
//!
//! Conditions are masks: all ones for true, zero for false. They pass through [`mask`], behind which the compiler may
//! not guess that there are only two of them and turn a selection into a branch.

use core::hint::black_box;

/// Makes a mask of a bit.
#[inline(always)]
pub(super) fn mask(bit: bool) -> u64 {
    black_box(0u64.wrapping_sub(u64::from(bit)))
}

/// Splits a double word into its low and high word.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the low word is what is wanted")]
pub(super) const fn split(wide: u128) -> (u64, u64) {
    (wide as u64, (wide >> 64) as u64)
}

/// Computes `a * b + c + d`, which never overflows a double word.
///
/// One word at a time and `d` last: in a row of these `d` is the carry, and this keeps its way through them short.
#[inline(always)]
pub(super) fn multiply_add(a: u64, b: u64, c: u64, d: u64) -> (u64, u64) {
    let (low, high) = split(u128::from(a).wrapping_mul(u128::from(b)));
    let (low, carry) = low.overflowing_add(c);
    let high = high.wrapping_add(u64::from(carry));
    let (low, carry) = low.overflowing_add(d);
    (low, high.wrapping_add(u64::from(carry)))
}

/// Adds two words and a carry word.
#[inline(always)]
pub(super) fn add_carry(a: u64, b: u64, carry: u64) -> (u64, u64) {
    split(u128::from(a).wrapping_add(u128::from(b)).wrapping_add(u128::from(carry)))
}

/// Subtracts a word and a borrow bit.
#[inline(always)]
pub(super) fn subtract_borrow(a: u64, b: u64, borrow: bool) -> (u64, bool) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(u64::from(borrow));
    (difference, first | second)
}

/// Adds, and tells whether the sum overflowed.
pub(super) fn add<const L: usize>(a: &[u64; L], b: &[u64; L]) -> ([u64; L], bool) {
    let mut sum = *a;
    let mut carry = 0;
    for (word, b) in sum.iter_mut().zip(b) {
        (*word, carry) = add_carry(*word, *b, carry);
    }
    (sum, carry != 0)
}

/// Adds a small number, and tells whether the sum overflowed.
pub(super) fn add_word<const L: usize>(a: &[u64; L], b: u64) -> ([u64; L], bool) {
    let mut sum = *a;
    let mut carry = b;
    for word in &mut sum {
        (*word, carry) = add_carry(*word, carry, 0);
    }
    (sum, carry != 0)
}

/// Subtracts, and tells whether the difference would be negative.
#[inline(always)]
pub(super) fn subtract<const L: usize>(a: &[u64; L], b: &[u64; L]) -> ([u64; L], bool) {
    let mut difference = *a;
    let mut borrow = false;
    for (word, b) in difference.iter_mut().zip(b) {
        (*word, borrow) = subtract_borrow(*word, *b, borrow);
    }
    (difference, borrow)
}

/// Returns `a` where the mask is set, else `b`.
#[inline(always)]
pub(super) fn select<const L: usize>(mask: u64, a: &[u64; L], b: &[u64; L]) -> [u64; L] {
    let mut chosen = *b;
    for (word, a) in chosen.iter_mut().zip(a) {
        *word = (*word & !mask) | (*a & mask);
    }
    chosen
}

/// Tells whether `a < b`.
pub(super) fn less<const L: usize>(a: &[u64; L], b: &[u64; L]) -> bool {
    let mut borrow = false;
    for (a, b) in a.iter().zip(b) {
        (_, borrow) = subtract_borrow(*a, *b, borrow);
    }
    borrow
}

/// Tells whether two numbers are equal.
pub(super) fn equal<const L: usize>(a: &[u64; L], b: &[u64; L]) -> bool {
    black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

/// Returns the small number as a long one.
pub(super) fn small<const L: usize>(value: u64) -> [u64; L] {
    let mut number = [0; L];
    if let Some(word) = number.first_mut() {
        *word = value;
    }
    number
}

/// Returns the least significant word.
pub(super) fn low_word<const L: usize>(a: &[u64; L]) -> u64 {
    a.first().copied().unwrap_or(0)
}

/// Returns the number shifted right by less than 64 bits.
pub(super) fn shift_right<const L: usize>(a: &[u64; L], count: u32) -> [u64; L] {
    let mut shifted = *a;
    let mut above = 0u64;
    for word in shifted.iter_mut().rev() {
        let old = *word;
        // In two steps, because a shift by 64 is not one by zero.
        *word = old.wrapping_shr(count) | (above << 1).wrapping_shl(63u32.wrapping_sub(count));
        above = old;
    }
    shifted
}

/// Returns the number of significant bits; in variable time, for public numbers.
pub(super) fn bit_length(a: &[u64]) -> usize {
    a.iter()
        .enumerate()
        .rev()
        .find(|(_, word)| **word != 0)
        .map_or(0, |(index, word)| index.wrapping_add(1).wrapping_mul(64).wrapping_sub(word.leading_zeros() as usize))
}

/// Reads a big-endian number of at most `L` words.
pub(super) fn from_be_bytes<const L: usize>(bytes: &[u8]) -> Option<[u64; L]> {
    let mut number = [0; L];
    let mut words = number.iter_mut();
    for chunk in bytes.rchunks(8) {
        let value = chunk.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
        match words.next() {
            Some(word) => *word = value,
            None if value == 0 => {}
            None => return None,
        }
    }
    Some(number)
}

/// Writes a big-endian number; words that do not fit are dropped, missing ones are zero.
pub(super) fn to_be_bytes(number: &[u64], out: &mut [u8]) {
    let mut words = number.iter();
    for chunk in out.rchunks_mut(8) {
        let word = words.next().copied().unwrap_or(0);
        for (byte, value) in chunk.iter_mut().rev().zip(word.to_le_bytes()) {
            *byte = value;
        }
    }
}

/// Joins two halves into a number of twice the words.
pub(super) fn join<const H: usize, const F: usize>(low: &[u64; H], high: &[u64; H]) -> [u64; F] {
    let mut number = [0; F];
    for (word, half) in number.iter_mut().zip(low.iter().chain(high)) {
        *word = *half;
    }
    number
}

/// Divides a number into its lower and upper half.
pub(super) fn halves<const H: usize, const F: usize>(number: &[u64; F]) -> ([u64; H], [u64; H]) {
    let (mut low, mut high) = ([0; H], [0; H]);
    for (word, half) in number.iter().zip(low.iter_mut().chain(&mut high)) {
        *half = *word;
    }
    (low, high)
}

/// Computes the inverse of an odd word modulo 2^64.
pub(super) fn invert_word(odd: u64) -> u64 {
    // An odd number is its own inverse modulo 8; each step of Newton's doubles the number of right bits.
    (0..5).fold(odd, |inverse, _| inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse))))
}

/// Divides exactly by an odd number: the quotient's low words, whatever is above those of the dividend.
pub(super) fn divide_exact<const L: usize>(dividend: &[u64; L], divisor: &[u64; L]) -> [u64; L] {
    let inverse = invert_word(low_word(divisor));
    let mut rest = *dividend;
    let mut quotient = [0; L];
    let mut remaining: &mut [u64] = &mut rest;
    for digit in &mut quotient {
        *digit = remaining.first().copied().unwrap_or(0).wrapping_mul(inverse);
        let (mut carry, mut borrow) = (0, false);
        for (word, divisor) in remaining.iter_mut().zip(divisor) {
            let product;
            (product, carry) = multiply_add(*digit, *divisor, carry, 0);
            (*word, borrow) = subtract_borrow(*word, product, borrow);
        }
        remaining = remaining.get_mut(1..).unwrap_or_default();
    }
    quotient
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_a_round_trip_and_too_long_a_number_is_refused() {
        let bytes: [u8; 17] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        let number: [u64; 2] = from_be_bytes(&bytes).unwrap();
        let mut back = [0xff; 17];
        to_be_bytes(&number, &mut back);
        assert_eq!(back, bytes);
        assert_eq!(from_be_bytes::<2>(&[1; 17]), None);
    }

    #[test]
    fn shifts_by_zero_and_across_words() {
        assert_eq!(shift_right(&[5, 6], 0), [5, 6]);
        assert_eq!(shift_right(&[4, 3], 2), [(3 << 62) | 1, 0]);
    }

    #[test]
    fn exact_division_undoes_multiplication_modulo_the_word_size() {
        let divisor = [0x1234_5678_9abc_def1, 0xfedc_ba98_7654_3210];
        let quotient = [0xdead_beef, 7];
        let (low, carry) = multiply_add(divisor[0], quotient[0], 0, 0);
        let high =
            carry.wrapping_add(divisor[0].wrapping_mul(quotient[1])).wrapping_add(divisor[1].wrapping_mul(quotient[0]));
        assert_eq!(divide_exact(&[low, high], &divisor), quotient);
    }

    #[test]
    fn bit_length_counts_from_the_highest_set_bit() {
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[1, 0]), 1);
        assert_eq!(bit_length(&[0, 1]), 65);
        assert_eq!(bit_length(&[0, u64::MAX]), 128);
    }
}
