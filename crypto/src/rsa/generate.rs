// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA key generation (FIPS 186-5, "Generation of Random Primes that are Probably Prime", in steps of bounded work.
//!
//! The clause draws each candidate anew. Here each draw is the start of a window of 4096 odd numbers, of which a sieve
//! leaves those without small factors; they are tried in order. Bounds, tests and numbers of rounds are the clause's.
//! The same random bytes give the same key: a TPM derives primary keys from its seed with this.

use super::miller_rabin::PrimalityTest;
use super::private::{PrivateKey, draw, private_exponent};
use super::sieve::Window;
use super::words::{add, equal, less, mask, negate_masked, small, subtract};
use crate::{CryptoError, Rng};
use zeroize::Zeroize;

/// Draws per prime. Each gives a window that is in range with probability 0.58 and then holds a prime with
/// probability 0.94 or more: this many failures are a broken generator.
const MAX_DRAWS: u32 = 128;

/// The highest word of √2 2^(n-1), rounded up: what is above it is "p ≥ √2 (2^(nlen/2 - 1))".
const MIN_HIGHEST_WORD: u64 = 0xb504_f333_f9de_6485;

/// What the next step does.
#[derive(Clone, Copy)]
enum Stage {
    /// Draws and sieves a window.
    Draw,
    /// Tries the next number of the window with the base two.
    Try,
    /// Tests the candidate with a random base, this many more times.
    Test(u32),
    /// Makes a key of the two primes.
    Join,
}

/// The search for a key whose primes have `H` words, in steps: one sieved window or one modular power.
#[derive(Clone)]
pub(super) struct KeySearch<const H: usize> {
    exponent: u32,
    stage: Stage,
    draws: u32,
    start: [u64; H],
    window: Window,
    test: PrimalityTest<H>,
    /// The prime p once it is found, until then zero.
    first: [u64; H],
}

impl<const H: usize> Zeroize for KeySearch<H> {
    fn zeroize(&mut self) {
        self.start.zeroize();
        self.window.zeroize();
        self.test.zeroize();
        self.first.zeroize();
    }
}

impl<const H: usize> KeySearch<H> {
    /// Rounds per prime (FIPS 186-5, table "Minimum number of rounds of Miller-Rabin testing when generating primes
    /// for use in RSA Digital Signatures": 5 for 1024 bits, 4 for 1536 and 2048; 5 for 512 as its predecessor has it).
    const ROUNDS: u32 = if H <= 16 { 5 } else { 4 };

    /// A search that was not begun.
    pub(super) const EMPTY: Self = Self {
        exponent: 0,
        stage: Stage::Draw,
        draws: 0,
        start: [0; H],
        window: Window::EXHAUSTED,
        test: PrimalityTest::EMPTY,
        first: [0; H],
    };

    /// Begins with an exponent that must be odd and above 2^16 (FIPS 186-5, "The RSA Digital Signature Algorithm",
    /// criteria for e), and a prime: other TPMs make no key with another one, and whoever sends it has made a mistake.
    pub(super) fn begin(&mut self, exponent: u32) -> Result<(), CryptoError> {
        if exponent <= 1 << 16 || !is_prime(exponent) {
            return Err(CryptoError::RsaExponent { exponent });
        }
        self.exponent = exponent;
        Ok(())
    }

    /// Does one step, and says whether it made the key. What it needs to compute powers is in the key's memory.
    pub(super) fn step<const F: usize>(
        &mut self,
        key: &mut PrivateKey<H, F>,
        rng: &mut dyn Rng,
    ) -> Result<bool, CryptoError> {
        match self.stage {
            Stage::Draw => self.draw(rng)?,
            Stage::Try => self.try_next(),
            Stage::Test(rounds) => self.test(rounds, key, rng)?,
            Stage::Join => return self.join(key, rng),
        }
        Ok(false)
    }

    /// Draws the start of a window and sieves it.
    fn draw(&mut self, rng: &mut dyn Rng) -> Result<(), CryptoError> {
        self.count_draw()?;
        draw(&mut self.start, rng)?;
        // The lower half of the range is never right: not drawing it saves half of the draws.
        let Some(highest) = self.start.last_mut() else { return Ok(()) };
        *highest |= 1 << 63;
        // "If p < √2 (2^(nlen/2 - 1)), then go to step 4.2."
        if *highest < MIN_HIGHEST_WORD {
            return Ok(());
        }
        if let Some(lowest) = self.start.first_mut() {
            *lowest |= 1;
        }
        self.window.sieve(&self.start);
        self.stage = Stage::Try;
        Ok(())
    }

    fn count_draw(&mut self) -> Result<(), CryptoError> {
        self.draws = self.draws.wrapping_add(1);
        if self.draws > MAX_DRAWS { Err(CryptoError::RsaNoPrime) } else { Ok(()) }
    }

    /// Takes the next number of the window, and looks at it more closely if it may be a prime that is wanted.
    #[inline(never)]
    fn try_next(&mut self) {
        let Some(distance) = self.window.next_distance() else {
            self.stage = Stage::Draw;
            return;
        };
        let mut candidate = self.start;
        if add(&mut candidate, &[distance]) {
            self.stage = Stage::Draw;
            return;
        }
        let passes = self.test.prepare(&candidate).is_some() && self.test.base_two();
        // "gcd(p - 1, e) = 1", and for the second prime "|p - q| > 2^(nlen/2 - 100)".
        if passes && private_exponent(&candidate, self.exponent).is_some() && self.is_far_from_first() {
            self.stage = Stage::Test(Self::ROUNDS);
        }
    }

    /// Tells whether the candidate differs from the first prime within their highest 100 bits; without one it does.
    fn is_far_from_first(&self) -> bool {
        let mut distance = *self.test.candidate();
        let negative = subtract(&mut distance, &self.first);
        negate_masked(&mut distance, mask(negative));
        // 2^(64 H - 100) is a bit of the second highest word.
        let mut bound = [0; H];
        if let Some(word) = bound.iter_mut().rev().nth(1) {
            *word = 1 << 28;
        }
        less(&bound, &distance)
    }

    /// Does one round with a random base.
    #[inline(never)]
    fn test<const F: usize>(
        &mut self,
        rounds: u32,
        key: &mut PrivateKey<H, F>,
        rng: &mut dyn Rng,
    ) -> Result<(), CryptoError> {
        let mut base = [0; H];
        draw(&mut base, rng)?;
        // "If ((b ≤ 1) or (b ≥ w - 1)), then go to step 4.1."
        if !self.test.accepts(&base) {
            return self.count_draw();
        }
        self.stage = match (self.test.round(&base, &mut key.powers), rounds.saturating_sub(1)) {
            (false, _) => Stage::Try,
            (true, 0) => self.keep_prime(),
            (true, left) => Stage::Test(left),
        };
        Ok(())
    }

    /// Takes note of a prime.
    fn keep_prime(&mut self) -> Stage {
        self.draws = 0;
        if equal(&self.first, &[0; H]) {
            self.first = *self.test.candidate();
            return Stage::Draw;
        }
        Stage::Join
    }

    /// Makes the key, and lets it sign once: a pairwise consistency test.
    #[inline(never)]
    fn join<const F: usize>(&mut self, key: &mut PrivateKey<H, F>, rng: &mut dyn Rng) -> Result<bool, CryptoError> {
        self.stage = Stage::Draw;
        if !private_exponent_is_large(&self.first, self.test.candidate(), self.exponent) {
            return Ok(false);
        }
        key.set_primes(&self.first, self.test.candidate(), self.exponent)?;
        self.zeroize();
        key.check_pair(rng)?;
        Ok(true)
    }
}

/// Tells whether the private exponent is certainly above 2^(nlen/2).
///
/// It is the only number below lcm(p-1, q-1) with the known remainders modulo p-1 and q-1. One of at most 2^(nlen/2)
/// is below 2(p-1) and 2(q-1), as p and q are at least √2 2^(nlen/2-1): it is either remainder, or that plus one
/// modulus, on both sides.
#[inline(never)]
fn private_exponent_is_large<const H: usize>(p: &[u64; H], q: &[u64; H], exponent: u32) -> bool {
    let both = |prime: &[u64; H]| -> Option<[([u64; H], bool); 2]> {
        let remainder = private_exponent(prime, exponent)?;
        let mut sum = *prime;
        subtract(&mut sum, &small::<H>(1));
        let carry = add(&mut sum, &remainder);
        Some([(remainder, false), (sum, carry)])
    };
    let (Some(p_side), Some(q_side)) = (both(p), both(q)) else { return false };
    p_side.iter().all(|(p_value, p_carry)| {
        q_side.iter().all(|(q_value, q_carry)| p_carry != q_carry || !equal(p_value, q_value))
    })
}

/// Divides by each odd number up to the square root: at most 2^15 of them, 128 for 65,537.
fn is_prime(number: u32) -> bool {
    let mut divisors = (3..1 << 16).step_by(2).take_while(|divisor: &u32| divisor.wrapping_mul(*divisor) <= number);
    number > 2 && number & 1 == 1 && divisors.all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_prime_unless_a_divisor_is_found() {
        let primes: std::vec::Vec<u32> = (0..60).filter(|number| is_prime(*number)).collect();
        assert_eq!(primes, [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
        assert!(is_prime(65_537) && is_prime(0xffff_fffb));
        // 65,521 squared is the greatest square of a prime.
        assert!(!is_prime(65_521 * 65_521) && !is_prime(u32::MAX) && !is_prime(0x1_6101));
    }

    #[test]
    fn a_small_private_exponent_is_recognised() {
        // With p = 11, q = 23 and e = 13: lcm(10, 22) = 110, d = 17. Neither remainder is equal, but 7 + 10 = 17.
        assert!(!private_exponent_is_large(&[11], &[23], 13));
        // e = 3: d = 37, more than 2 * 10.
        assert!(private_exponent_is_large(&[11], &[23], 3));
    }
}
