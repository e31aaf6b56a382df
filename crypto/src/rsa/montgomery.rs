// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Montgomery arithmetic over whole blocks of eight words (P. Montgomery 1985; the "coarsely integrated" order of
//! Koç, Acar and Kaliski 1996 with a block in the place of a word).
//!
//! A row of eight multiplications is what the compiler keeps in registers: a few small kernels serve every key size.
//! Everything here is in constant time except what says otherwise in its name.

use super::words::{
    add, add_carry, add_masked, bit_length, invert_word, less, low_word, mask, multiply_add, shift_word, small, split,
    subtract, subtract_masked,
};
use core::hint::black_box;
use zeroize::Zeroize;

const BLOCK: usize = 8;
type Block = [u64; BLOCK];

/// Bits of the exponent that one multiplication handles.
const WINDOW: usize = 4;

/// An odd modulus with what Montgomery reduction needs; `L` is a multiple of eight, R is 2^(64 L).
#[derive(Clone)]
pub(super) struct Modulus<const L: usize> {
    value: [u64; L],
    /// -value^-1 mod 2^64.
    factor: u64,
    /// R mod value: one in Montgomery form.
    one: [u64; L],
    /// R^2 mod value: brings a number into Montgomery form.
    square: [u64; L],
}

impl<const L: usize> Zeroize for Modulus<L> {
    fn zeroize(&mut self) {
        self.value.zeroize();
        self.factor.zeroize();
        self.one.zeroize();
        self.square.zeroize();
    }
}

impl<const L: usize> Modulus<L> {
    /// Room for a modulus.
    pub(super) const EMPTY: Self = Self { value: [0; L], factor: 0, one: [0; L], square: [0; L] };

    /// Prepares a modulus where it is; `None` if it is even or one. Its bit length may show in the run time, nothing else
    /// does.
    #[inline(never)]
    pub(super) fn prepare(&mut self, value: &[u64; L]) -> Option<()> {
        const { assert!(L.is_multiple_of(BLOCK) && L > 0) };
        let bits = bit_length(value);
        if low_word(value) & 1 == 0 || bits < 2 {
            return None;
        }
        self.value = *value;
        self.factor = invert_word(low_word(value)).wrapping_neg();

        // R mod value: from the highest power of two below the value, by doubling.
        let highest = bits.wrapping_sub(1);
        let mut power = [0; L];
        if let (Some(power), Some(value)) = (power.get_mut(highest >> 6), value.get(highest >> 6)) {
            *power = 1u64.wrapping_shl(value.checked_ilog2().unwrap_or(0));
        }
        for _ in highest..L.wrapping_mul(64) {
            self.double(&mut power);
        }
        self.one = power;

        // R 2^L by L doublings; squaring six times makes of it R 2^(64 L).
        for _ in 0..L {
            self.double(&mut power);
        }
        for _ in 0..6 {
            power = self.square(&power);
        }
        self.square = power;
        Some(())
    }

    /// Prepares a modulus for [`power_of_public`](Self::power_of_public) alone, which does without powers of R if it can.
    pub(super) fn prepare_public(&mut self, value: &[u64; L]) -> Option<()> {
        if low_word(value) & 1 == 0 || !is_full(value) {
            return self.prepare(value);
        }
        self.value = *value;
        self.factor = invert_word(low_word(value)).wrapping_neg();
        Some(())
    }

    /// Returns the modulus itself.
    pub(super) const fn value(&self) -> &[u64; L] {
        &self.value
    }

    /// Returns -value^-1 mod 2^64.
    pub(super) const fn factor(&self) -> u64 {
        self.factor
    }

    /// Returns one in Montgomery form.
    pub(super) const fn one(&self) -> &[u64; L] {
        &self.one
    }

    /// Computes `a * b / R`; one factor must be below the modulus, the other only below R.
    #[inline(never)]
    pub(super) fn multiply(&self, a: &[u64; L], b: &[u64; L]) -> [u64; L] {
        let mut sum = [0; L];
        let mut overflow = 0;
        for digit in b.as_chunks().0 {
            let mut top = [0; BLOCK];
            for (sum, a) in sum.as_chunks_mut().0.iter_mut().zip(a.as_chunks().0) {
                multiply_block(sum, &mut top, a, digit);
            }
            let carry = add_block(&mut top, &small(overflow));
            overflow = carry.wrapping_add(self.reduce_row(&mut sum, &top));
        }
        self.subtract_once(&mut sum, overflow);
        sum
    }

    /// Computes `a * a / R` for `a` below the modulus, with little more than half the products outside reduction.
    #[inline(never)]
    pub(super) fn square(&self, a: &[u64; L]) -> [u64; L] {
        // Row i is a_i times a_i, 2 a_(i+1), 2 a_(i+2), …: each product of different blocks comes once, doubled.
        let mut doubled = *a;
        let mut pushed_out = 0;
        for word in &mut doubled {
            let high = *word >> 63;
            *word = (*word << 1) | pushed_out;
            pushed_out = high;
        }
        let pushed_out = mask(pushed_out != 0);

        let mut sum = [0; L];
        let mut overflow = 0;
        let mut later: &[Block] = doubled.as_chunks().0;
        for (index, digit) in a.as_chunks().0.iter().enumerate() {
            let mut top = [0; BLOCK];
            let mut sums = sum.as_chunks_mut().0.iter_mut().skip(index);
            if let Some(sum) = sums.next() {
                square_block(sum, &mut top, digit);
            }
            let mut pushed = [0; BLOCK];
            later = later.split_first().map_or(&[], |(_, later)| later);
            if let Some((&[lowest, b, c, d, e, f, g, h], rest)) = later.split_first() {
                // The lowest bit of the next block came from this one, whose own square counts it.
                let next = [lowest & !1, b, c, d, e, f, g, h];
                for (sum, block) in sums.zip(core::iter::once(&next).chain(rest)) {
                    multiply_block(sum, &mut top, block, digit);
                }
                pushed = digit.map(|word| word & pushed_out);
            }
            let carry = add_block(&mut top, &small(overflow)).wrapping_add(add_block(&mut top, &pushed));
            overflow = carry.wrapping_add(self.reduce_row(&mut sum, &top));
        }
        self.subtract_once(&mut sum, overflow);
        sum
    }

    /// Adds the multiple of the modulus that clears the lowest block, drops that block, puts `top` above the others,
    /// and returns what overflows.
    #[inline(always)]
    fn reduce_row(&self, sum: &mut [u64; L], top: &Block) -> u64 {
        let ([lowest, sums @ ..], [modulus, moduli @ ..]) = (sum.as_chunks_mut().0, self.value.as_chunks().0) else {
            return 0;
        };
        let (mut digits, mut high) = ([0; BLOCK], [0; BLOCK]);
        clear_block(lowest, &mut digits, &mut high, modulus, self.factor);
        let mut below = lowest;
        for (sum, modulus) in sums.iter_mut().zip(moduli) {
            multiply_block_to(below, sum, &mut high, modulus, &digits);
            below = sum;
        }
        *below = *top;
        add_block(below, &high)
    }

    /// Brings a number below twice the modulus under it.
    #[inline(always)]
    fn subtract_once(&self, number: &mut [u64; L], overflow: u64) {
        let is_reduced = less(number, &self.value) & (overflow == 0);
        subtract_masked(number, &self.value, !mask(is_reduced));
    }

    /// Adds a number below the modulus to another.
    pub(super) fn add(&self, a: &mut [u64; L], b: &[u64; L]) {
        let carry = add(a, b);
        self.subtract_once(a, u64::from(carry));
    }

    /// Subtracts a number below the modulus from another.
    pub(super) fn subtract(&self, a: &mut [u64; L], b: &[u64; L]) {
        let borrow = subtract(a, b);
        add_masked(a, &self.value, mask(borrow));
    }

    /// Doubles a number below the modulus.
    pub(super) fn double(&self, a: &mut [u64; L]) {
        let mut pushed_out = 0;
        for word in a.iter_mut() {
            let high = *word >> 63;
            *word = (*word << 1) | pushed_out;
            pushed_out = high;
        }
        self.subtract_once(a, pushed_out);
    }

    /// Tells whether a number is below the modulus.
    pub(super) fn contains(&self, a: &[u64; L]) -> bool {
        less(a, &self.value)
    }

    /// Brings any number of `L` words into Montgomery form.
    pub(super) fn enter(&self, a: &[u64; L]) -> [u64; L] {
        self.multiply(a, &self.square)
    }

    /// Brings a number of twice `L` words into Montgomery form.
    pub(super) fn enter_wide(&self, low: &[u64; L], high: &[u64; L]) -> [u64; L] {
        let mut sum = self.enter(&self.enter(high));
        self.add(&mut sum, &self.enter(low));
        sum
    }

    /// Multiplies a number below the modulus by another, neither in Montgomery form.
    #[inline(never)]
    pub(super) fn scale(&self, a: &mut [u64; L], b: &[u64; L]) {
        *a = self.multiply(&self.enter(a), b);
    }

    /// Brings a number back from Montgomery form.
    pub(super) fn leave(&self, a: &[u64; L]) -> [u64; L] {
        self.multiply(a, &small(1))
    }

    /// Raises a plain number below the modulus to an odd exponent; the run time depends on the exponent alone.
    pub(super) fn power_public(&self, base: &[u64; L], exponent: u32) -> [u64; L] {
        self.power_of(base, &self.enter(base), exponent)
    }

    /// Raises a plain number to an odd exponent where nothing is secret, after [`prepare_public`](Self::prepare_public).
    pub(super) fn power_of_public(&self, base: &[u64; L], exponent: u32) -> [u64; L] {
        if !is_full(&self.value) {
            return self.power_public(base, exponent);
        }
        let mut entered = *base;
        (0..L).for_each(|_| shift_word(&mut entered, &self.value));
        self.power_of(base, &entered, exponent)
    }

    /// Raises a plain number, which is there in Montgomery form too.
    #[inline(never)]
    fn power_of(&self, base: &[u64; L], entered: &[u64; L], exponent: u32) -> [u64; L] {
        let mut power = *entered;
        // The lowest bit of the odd exponent is left for the multiplication that leaves Montgomery form.
        for bit in (1..exponent.checked_ilog2().unwrap_or(0)).rev() {
            power = self.square(&power);
            if exponent.wrapping_shr(bit) & 1 == 1 {
                power = self.multiply(&power, entered);
            }
        }
        if exponent < 3 { *base } else { self.multiply(&self.square(&power), base) }
    }

    /// Raises a number in Montgomery form to a secret exponent of `L` words, with room for the powers that it needs.
    pub(super) fn power(&self, base: &[u64; L], exponent: &[u64; L], powers: &mut Powers<L>) -> [u64; L] {
        powers.fill(self, base);
        let bits = L.wrapping_mul(64);
        let mut digits = (0..bits.div_ceil(WINDOW)).rev().map(|window| bits_at(exponent, window.wrapping_mul(WINDOW)));
        let mut power = digits.next().map_or(self.one, |digit| powers.look_up(digit));
        for digit in digits {
            for _ in 0..WINDOW {
                power = self.square(&power);
            }
            power = self.multiply(&power, &powers.look_up(digit));
        }
        power
    }

    /// Raises two to a secret exponent of `L` words; the result is in Montgomery form.
    pub(super) fn power_of_two(&self, exponent: &[u64; L]) -> [u64; L] {
        let mut power = self.one;
        for word in exponent.iter().rev() {
            for bit in (0..64).rev() {
                power = self.square(&power);
                self.double_masked(&mut power, mask(word.wrapping_shr(bit) & 1 == 1));
            }
        }
        power
    }

    /// Doubles a number below the modulus where the mask is set.
    fn double_masked(&self, a: &mut [u64; L], mask: u64) {
        let addend = a.map(|word| word & mask);
        self.add(a, &addend);
    }
}

/// Tells whether the highest bit is set, as it is in every modulus of a whole number of words.
fn is_full(value: &[u64]) -> bool {
    value.last().is_some_and(|word| word >> 63 == 1)
}

/// The powers of a base from zero on, as many as a window of the exponent can ask for.
#[derive(Clone)]
pub(super) struct Powers<const L: usize>([[u64; L]; 1 << WINDOW]);

impl<const L: usize> Zeroize for Powers<L> {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<const L: usize> Powers<L> {
    /// Room for them.
    pub(super) const EMPTY: Self = Self([[0; L]; 1 << WINDOW]);

    #[cfg(test)]
    pub(super) fn is_wiped(&self) -> bool {
        self.0 == [[0; L]; 1 << WINDOW]
    }

    fn fill(&mut self, modulus: &Modulus<L>, base: &[u64; L]) {
        let mut power = modulus.one;
        for slot in &mut self.0 {
            *slot = power;
            power = modulus.multiply(&power, base);
        }
    }

    /// Reads one power by reading all of them.
    #[inline(always)]
    fn look_up(&self, digit: u64) -> [u64; L] {
        let digit = black_box(digit);
        let mut found = [0; L];
        for (index, power) in (0u64..).zip(&self.0) {
            // All ones exactly for a difference of zero.
            let chosen = 0u64.wrapping_sub((index ^ digit).wrapping_sub(1) >> 63);
            for (word, power) in found.iter_mut().zip(power) {
                *word |= power & chosen;
            }
        }
        found
    }
}

/// Returns the window of the exponent that begins at a bit.
#[inline(always)]
fn bits_at<const L: usize>(exponent: &[u64; L], start: usize) -> u64 {
    let index = start >> 6;
    let low = exponent.get(index).copied().unwrap_or(0);
    let high = exponent.get(index.wrapping_add(1)).copied().unwrap_or(0);
    let (window, _) = split((u128::from(high) << 64 | u128::from(low)) >> (start & 63));
    window & ((1 << WINDOW) - 1)
}

/// Computes `low + high + a * b`; its lower half goes to `low`, its upper half to `high`.
#[inline(never)]
fn multiply_block(low: &mut Block, high: &mut Block, a: &Block, b: &Block) {
    let mut row = *low;
    for ((low, high), b) in low.iter_mut().zip(high.iter()).zip(b) {
        *low = multiply_row(&mut row, a, *b, *high);
    }
    *high = row;
}

/// Computes `from + high + a * b`; its lower half goes to `to`, its upper half to `high`.
#[inline(never)]
fn multiply_block_to(to: &mut Block, from: &Block, high: &mut Block, a: &Block, b: &Block) {
    let mut row = *from;
    for ((low, high), b) in to.iter_mut().zip(high.iter()).zip(b) {
        *low = multiply_row(&mut row, a, *b, *high);
    }
    *high = row;
}

/// Computes `low + a * a`; its lower half goes to `low`, its upper half to `high`.
#[inline(never)]
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "constant bounds, which the compiler sees; as iterators the loops are not unrolled"
)]
fn square_block(low: &mut Block, high: &mut Block, a: &Block) {
    // The products of different words once, then all of that doubled and the squares added.
    let mut product = [0; 2 * BLOCK];
    for i in 0..BLOCK - 1 {
        let mut carry = 0;
        for j in i + 1..BLOCK {
            (product[i + j], carry) = multiply_add(a[i], a[j], product[i + j], carry);
        }
        product[i + BLOCK] = carry;
    }
    let (mut carry, mut shifted_out) = (0, 0);
    for (pair, word) in product.as_chunks_mut().0.iter_mut().zip(a) {
        let [even, odd]: &mut [u64; 2] = pair;
        let (square_low, square_high) = multiply_add(*word, *word, 0, 0);
        let doubled = [(*even << 1) | shifted_out, (*odd << 1) | (*even >> 63)];
        shifted_out = *odd >> 63;
        (*even, carry) = add_carry(doubled[0], square_low, carry);
        (*odd, carry) = add_carry(doubled[1], square_high, carry);
    }
    let (product_low, product_high) = product.split_at(BLOCK);
    let mut carry = 0;
    for (low, word) in low.iter_mut().zip(product_low) {
        (*low, carry) = add_carry(*low, *word, carry);
    }
    for (high, word) in high.iter_mut().zip(product_high) {
        (*high, carry) = add_carry(*word, 0, carry);
    }
}

/// Finds the digits whose product with `modulus` clears `low`, and the upper half of the sum.
#[inline(never)]
fn clear_block(low: &Block, digits: &mut Block, high: &mut Block, modulus: &Block, factor: u64) {
    let mut row = *low;
    for digit in digits {
        let [lowest, ..] = row;
        *digit = lowest.wrapping_mul(factor);
        multiply_row(&mut row, modulus, *digit, 0);
    }
    *high = row;
}

/// Adds `a * b + carry` to the row, takes the lowest word out, and moves the others down by one.
#[inline(always)]
fn multiply_row(row: &mut Block, a: &Block, b: u64, carry: u64) -> u64 {
    let ([first, rest @ ..], [a, others @ ..]) = (*row, a);
    let (lowest, mut carry) = multiply_add(*a, b, first, carry);
    let [moved @ .., last] = row;
    for ((word, old), a) in moved.iter_mut().zip(rest).zip(others) {
        (*word, carry) = multiply_add(*a, b, old, carry);
    }
    *last = carry;
    lowest
}

/// Adds a block to another, and returns the carry.
#[inline(always)]
fn add_block(a: &mut Block, b: &Block) -> u64 {
    let mut carry = 0;
    for (a, b) in a.iter_mut().zip(b) {
        (*a, carry) = add_carry(*a, *b, carry);
    }
    carry
}

/// Multiplies two numbers to one of twice the words.
pub(super) fn multiply_wide<const H: usize, const F: usize>(a: &[u64; H], b: &[u64; H]) -> [u64; F] {
    const { assert!(F == 2 * H && H.is_multiple_of(BLOCK)) };
    let mut product = [0; F];
    let mut above: &mut [Block] = product.as_chunks_mut().0;
    for digit in b.as_chunks().0 {
        let mut top = [0; BLOCK];
        let mut sums = above.iter_mut();
        for (a, sum) in a.as_chunks().0.iter().zip(&mut sums) {
            multiply_block(sum, &mut top, a, digit);
        }
        if let Some(sum) = sums.next() {
            *sum = top;
        }
        above = above.split_first_mut().map_or(&mut [], |(_, above)| above);
    }
    product
}
