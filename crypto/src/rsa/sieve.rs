// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Crosses the multiples of small primes out of a window of odd numbers.
//!
//! Remainders are computed in constant time, but which bits are crossed out follows from them: a sieve cannot hide its
//! memory accesses. They concern numbers that are drawn once and, but for one, thrown away.

use super::small::{SmallModulus, residues};
use zeroize::Zeroize;

/// Odd numbers per window; one in 355 odd numbers of 1024 bits is prime, one in 710 of 2048 bits.
const SLOTS: usize = 4096;

/// Small primes are those below this.
const LIMIT: usize = 1 << 16;

/// One bit for each odd number below [`LIMIT`], set for primes.
static SMALL_PRIMES: [u64; LIMIT / 128] = small_primes();

/// A window of consecutive odd numbers, some of them crossed out.
#[derive(Clone)]
pub(super) struct Window {
    crossed_out: [u64; SLOTS / 64],
    /// How many of the last slots nobody looked at yet.
    left: usize,
}

impl Zeroize for Window {
    fn zeroize(&mut self) {
        self.crossed_out.zeroize();
        self.left.zeroize();
    }
}

impl Window {
    /// A window from which nothing comes.
    pub(super) const EXHAUSTED: Self = Self { crossed_out: [0; SLOTS / 64], left: 0 };

    /// Sieves the window that begins with an odd number, which is above all small primes.
    pub(super) fn sieve(&mut self, start: &[u64]) {
        self.crossed_out = [0; SLOTS / 64];
        self.left = SLOTS;
        let mut primes = odd_primes();
        // Two primes make one modulus, and two moduli are reduced at once.
        while let Some(first) = primes.next() {
            let rest = [primes.next(), primes.next(), primes.next()].map(|prime| prime.unwrap_or(1));
            let [second, third, fourth] = rest;
            let (Some(low), Some(high)) =
                (SmallModulus::new(first.wrapping_mul(second)), SmallModulus::new(third.wrapping_mul(fourth)))
            else {
                return;
            };
            let [low, high] = residues([low, high], start);
            for (prime, residue) in [(first, low), (second, low), (third, high), (fourth, high)] {
                self.cross_out(prime, residue);
            }
        }
    }

    /// Crosses out the multiples of a prime, given the first number's remainder by a multiple of that prime.
    fn cross_out(&mut self, prime: u32, residue: u64) {
        let Some(modulus) = SmallModulus::new(prime).filter(|modulus| modulus.value() > 1) else {
            return;
        };
        // start + 2 slot = 0 (mod prime): half of what is missing, or half of that and the prime.
        let missing = modulus.reduce(modulus.value().wrapping_sub(modulus.reduce(residue)));
        let odd = 0u64.wrapping_sub(missing & 1);
        let first = missing.wrapping_add(modulus.value() & odd) >> 1;
        let (Ok(mut slot), Ok(step)) = (usize::try_from(first), usize::try_from(prime)) else {
            return;
        };
        while let Some(word) = self.crossed_out.get_mut(slot >> 6) {
            *word |= 1u64.rotate_left(bit(slot));
            slot = slot.wrapping_add(step);
        }
    }

    /// Takes out the distance from the window's first number to the next one that is not crossed out.
    pub(super) fn next_distance(&mut self) -> Option<u64> {
        loop {
            let slot = SLOTS.wrapping_sub(self.left);
            let word = self.crossed_out.get(slot >> 6)?;
            self.left = self.left.wrapping_sub(1);
            if word.rotate_right(bit(slot)) & 1 == 0 {
                return u64::try_from(slot.wrapping_mul(2)).ok();
            }
        }
    }
}

/// Returns a slot's bit in its word.
#[expect(clippy::cast_possible_truncation, reason = "the value is below 64")]
const fn bit(slot: usize) -> u32 {
    (slot & 63) as u32
}

/// Lists the odd primes below [`LIMIT`].
fn odd_primes() -> impl Iterator<Item = u32> {
    (0u32..).zip(&SMALL_PRIMES).flat_map(|(index, word)| {
        (0u32..64)
            .filter(move |bit| word.wrapping_shr(*bit) & 1 == 1)
            .map(move |bit| index.wrapping_mul(128).wrapping_add(bit.wrapping_mul(2)).wrapping_add(1))
    })
}

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, for which either would be an error"
)]
const fn small_primes() -> [u64; LIMIT / 128] {
    let mut map = [u64::MAX; LIMIT / 128];
    // One is no prime.
    map[0] &= !1;
    let mut prime = 3;
    while prime * prime < LIMIT {
        if map[prime / 128] & (1 << (prime / 2 % 64)) != 0 {
            let mut multiple = prime * prime;
            while multiple < LIMIT {
                map[multiple / 128] &= !(1 << (multiple / 2 % 64));
                multiple += 2 * prime;
            }
        }
        prime += 2;
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn there_are_6541_odd_primes_below_two_to_the_sixteenth() {
        let primes: Vec<u32> = odd_primes().collect();
        assert_eq!(primes.len(), 6541);
        assert_eq!(primes[..4], [3, 5, 7, 11]);
        assert_eq!(primes.last(), Some(&65_521));
    }

    #[test]
    fn what_is_left_of_a_window_are_the_numbers_without_small_factors() {
        let start = (1u64 << 40) + 1;
        let mut window = Window::EXHAUSTED;
        window.sieve(&[start, 0]);
        let left: Vec<u64> = core::iter::from_fn(|| window.next_distance()).map(|distance| start + distance).collect();
        let expected: Vec<u64> = (start..)
            .step_by(2)
            .take(SLOTS)
            .filter(|number| odd_primes().all(|prime| number % u64::from(prime) != 0))
            .collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn an_exhausted_window_gives_nothing() {
        let mut window = Window::EXHAUSTED;
        assert_eq!(window.next_distance(), None);
    }
}
