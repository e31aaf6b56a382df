// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Unsigned integers as arrays of 64-bit words, least significant first, in constant time.
//!
//! Conditions are masks: all ones for true, zero for false. They pass through [`mask`], behind which the compiler may
//! not guess that there are only two of them and turn a selection into a branch.

use core::hint::black_box;
use core::iter::repeat;

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

/// Adds a number, shorter ones too, and tells whether the sum overflowed.
#[inline(always)]
pub(super) fn add(a: &mut [u64], b: &[u64]) -> bool {
    let mut carry = 0;
    for (word, b) in a.iter_mut().zip(b.iter().chain(repeat(&0))) {
        (*word, carry) = add_carry(*word, *b, carry);
    }
    carry != 0
}

/// Adds a number where the mask is set.
#[inline(always)]
pub(super) fn add_masked(a: &mut [u64], b: &[u64], mask: u64) {
    let mut carry = 0;
    for (word, b) in a.iter_mut().zip(b) {
        (*word, carry) = add_carry(*word, *b & mask, carry);
    }
}

/// Subtracts a number where the mask is set.
#[inline(always)]
pub(super) fn subtract_masked(a: &mut [u64], b: &[u64], mask: u64) {
    let mut borrow = false;
    for (word, b) in a.iter_mut().zip(b) {
        (*word, borrow) = subtract_borrow(*word, *b & mask, borrow);
    }
}

/// Subtracts a number, and tells whether the difference would be negative.
#[inline(always)]
pub(super) fn subtract(a: &mut [u64], b: &[u64]) -> bool {
    let mut borrow = false;
    for (word, b) in a.iter_mut().zip(b) {
        (*word, borrow) = subtract_borrow(*word, *b, borrow);
    }
    borrow
}

/// Negates a number modulo the word size where the mask is set.
#[inline(always)]
pub(super) fn negate_masked(a: &mut [u64], mask: u64) {
    let mut carry = mask & 1;
    for word in a {
        (*word, carry) = add_carry(*word ^ mask, 0, carry);
    }
}

/// Tells whether `a < b`.
#[inline(always)]
pub(super) fn less(a: &[u64], b: &[u64]) -> bool {
    let mut borrow = false;
    for (a, b) in a.iter().zip(b) {
        (_, borrow) = subtract_borrow(*a, *b, borrow);
    }
    borrow
}

/// Tells whether two numbers are equal.
pub(super) fn equal(a: &[u64], b: &[u64]) -> bool {
    black_box(a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

/// Multiplies a number below the modulus by 2^64 modulo it, whose highest bit must be set; in variable time, for public
/// numbers.
pub(super) fn shift_word(number: &mut [u64], modulus: &[u64]) {
    let ([.., next, highest], Some(divisor)) = (&*number, modulus.last()) else {
        return;
    };
    // Two words by one: this is the digit of the quotient, or one or two more (Knuth, "Algorithm D").
    let estimate = (u128::from(*highest) << 64 | u128::from(*next)).checked_div(u128::from(*divisor));
    let (digit, _) = split(estimate.unwrap_or(0).min(u128::from(u64::MAX)));
    let (mut below, mut carry, mut borrow) = (0, 0, false);
    for (word, modulus) in number.iter_mut().zip(modulus) {
        let product;
        (product, carry) = multiply_add(digit, *modulus, carry, 0);
        let shifted = core::mem::replace(&mut below, *word);
        (*word, borrow) = subtract_borrow(shifted, product, borrow);
    }
    let (mut above, _) = subtract_borrow(below, carry, borrow);
    for _ in 0..2 {
        if above != 0 {
            above = above.wrapping_add(u64::from(add(number, modulus)));
        }
    }
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
pub(super) fn low_word(a: &[u64]) -> u64 {
    a.first().copied().unwrap_or(0)
}

/// Shifts right by less than 64 bits, and moves the low bits of a word above the highest one in.
#[inline(always)]
pub(super) fn shift_right(a: &mut [u64], count: u32, mut above: u64) {
    for word in a.iter_mut().rev() {
        let old = *word;
        // In two steps, because a shift by 64 is not one by zero.
        *word = old.wrapping_shr(count) | (above << 1).wrapping_shl(63u32.wrapping_sub(count));
        above = old;
    }
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
    read_be_bytes(bytes, &mut number).then_some(number)
}

/// Reads a big-endian number, and tells whether it had room.
pub(super) fn read_be_bytes(bytes: &[u8], number: &mut [u64]) -> bool {
    let mut words = number.iter_mut();
    let mut chunks = bytes.rchunks(8).map(|chunk| chunk.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)));
    words.by_ref().for_each(|word| *word = chunks.next().unwrap_or(0));
    chunks.all(|value| value == 0)
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

/// Borrows the lower and the upper half of a number.
pub(super) fn halves<const H: usize, const F: usize>(number: &[u64; F]) -> (&[u64; H], &[u64; H]) {
    const { assert!(F == 2 * H) };
    match number.as_chunks().0 {
        [low, high] => (low, high),
        _ => (&[0; H], &[0; H]),
    }
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
        for (mut number, count, above, expected) in
            [([5, 6], 0, 7, [5, 6]), ([4, 3], 2, 0, [(3 << 62) | 1, 0]), ([0, 0], 31, u64::MAX, [0, u64::MAX << 33])]
        {
            shift_right(&mut number, count, above);
            assert_eq!(number, expected);
        }
    }

    #[test]
    fn masks_decide_what_is_added_subtracted_and_negated() {
        let mut number = [u64::MAX, 1];
        add_masked(&mut number, &[1, 1], 0);
        subtract_masked(&mut number, &[1, 1], 0);
        negate_masked(&mut number, 0);
        assert_eq!(number, [u64::MAX, 1]);
        add_masked(&mut number, &[1, 1], u64::MAX);
        assert_eq!(number, [0, 3]);
        subtract_masked(&mut number, &[1, 1], u64::MAX);
        assert_eq!(number, [u64::MAX, 1]);
        negate_masked(&mut number, u64::MAX);
        assert_eq!(number, [1, u64::MAX - 1]);
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
    fn a_word_is_shifted_in_modulo_a_number_that_makes_each_estimate_too_large() {
        let top = 1u128 << 127;
        for modulus in [top, top + 1, top | u128::from(u64::MAX), (u128::MAX >> 64) << 64, u128::MAX] {
            for number in [0, 1, modulus / 2, modulus - 1, modulus - (1 << 64), top - 1] {
                // 64 doublings, each below the modulus.
                let double = |rest: u128| if rest >= modulus - rest { rest - (modulus - rest) } else { rest + rest };
                let expected = (0..64).fold(number, |rest, _| double(rest));
                let (low, high) = split(number);
                let mut words = [low, high];
                let (low, high) = split(modulus);
                shift_word(&mut words, &[low, high]);
                assert_eq!(words, [split(expected).0, split(expected).1], "{number:x} modulo {modulus:x}");
            }
        }
    }

    #[test]
    fn bit_length_counts_from_the_highest_set_bit() {
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[1, 0]), 1);
        assert_eq!(bit_length(&[0, 1]), 65);
        assert_eq!(bit_length(&[0, u64::MAX]), 128);
    }
}
