// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hostile sources, each refused by name, and an honest one.

use super::*;
use crate::RustCrypto;

/// A source made of a function of the sample's number.
struct Source<F>(u64, F);

impl<F: FnMut(u64) -> Option<u64>> NoiseSource for Source<F> {
    fn sample(&mut self) -> Option<u64> {
        self.0 += 1;
        (self.1)(self.0 - 1)
    }
}

fn honest(number: u64) -> u64 {
    let digest = RustCrypto::hash(HashAlg::Sha256, &[&number.to_be_bytes()]);
    u64::from_be_bytes(digest.as_bytes()[..8].try_into().unwrap())
}

fn startup(function: impl FnMut(u64) -> Option<u64>) -> Result<EntropyCollector, EntropyError> {
    EntropyCollector::start(&mut Source(0, function))
}

#[test]
fn an_honest_source_starts_and_gives_different_seeds() {
    let mut source = Source(0, |number| Some(honest(number)));
    let mut collector = EntropyCollector::start(&mut source).unwrap();
    assert_eq!(source.0, 1024);
    let first = collector.seed::<RustCrypto>(&mut source).unwrap();
    let second = collector.seed::<RustCrypto>(&mut source).unwrap();
    assert_ne!(first, second);
}

#[test]
fn a_million_honest_samples_raise_no_alarm() {
    let mut collector = startup(|number| Some(honest(number))).unwrap();
    let mut state = 1u64;
    for _ in 0..1_000_000 {
        // SplitMix64: full 64-bit words, quick enough for a long run.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        collector.check(mixed ^ (mixed >> 31)).unwrap();
    }
}

#[test]
fn a_source_of_zeros_is_stuck_at_zeros() {
    assert_eq!(startup(|_| Some(0)).err(), Some(EntropyError::StuckAtZeros));
}

/// What processors with a broken `RDRAND` gave after resume, with the carry flag set.
#[test]
fn a_source_of_ones_is_stuck_at_ones() {
    assert_eq!(startup(|_| Some(u64::MAX)).err(), Some(EntropyError::StuckAtOnes));
}

#[test]
fn a_source_stuck_at_another_value_fails_the_repetition_count_at_its_cutoff() {
    assert_eq!(startup(|_| Some(42)).err(), Some(EntropyError::RepetitionCount { count: 5 }));

    let four_in_a_row = |number| Some(if (100..104).contains(&number) { 42 } else { honest(number) });
    assert!(startup(four_in_a_row).is_ok());
}

#[test]
fn a_source_that_runs_in_a_circle_is_repeating() {
    for period in [2, 3, 7, 32] {
        let error = startup(|number| Some(honest(number % period))).err();
        assert_eq!(error, Some(EntropyError::Repeating { period: period as usize }), "period {period}");
    }
}

#[test]
fn a_source_that_likes_one_value_fails_the_adaptive_proportion_test() {
    // The window's first value comes every 33rd time: 16 times within 512 samples.
    let biased = |number| Some(if number % 33 == 0 { 7 } else { honest(number) });
    assert_eq!(startup(biased).err(), Some(EntropyError::AdaptiveProportion { count: 16 }));
}

#[test]
fn a_source_that_has_nothing_is_exhausted_after_its_attempts() {
    let mut source = Source(0, |_| None);
    let error = EntropyCollector::start(&mut source).err();
    assert_eq!(error, Some(EntropyError::Exhausted { attempts: 1024 }));
    assert_eq!(source.0, 1024);
}

#[test]
fn a_source_with_pauses_is_waited_for() {
    assert!(startup(|number| (number % 1000 == 0).then(|| honest(number))).is_ok());
}

#[test]
fn a_source_that_dies_after_its_start_gives_no_seed() {
    let mut source = Source(0, |number| (number < 1030).then(|| honest(number)));
    let mut collector = EntropyCollector::start(&mut source).unwrap();
    let refused = collector.seed::<RustCrypto>(&mut source).err();
    assert_eq!(refused, Some(EntropyError::Exhausted { attempts: 1024 }));
}

#[test]
fn a_failure_is_final_even_if_the_source_recovers() {
    let mut collector = startup(|number| Some(honest(number))).unwrap();
    let stuck = collector.seed::<RustCrypto>(&mut Source(0, |_| Some(u64::MAX))).err();
    assert_eq!(stuck, Some(EntropyError::StuckAtOnes));
    let later = collector.seed::<RustCrypto>(&mut Source(0, |number| Some(honest(number)))).err();
    assert_eq!(later, Some(EntropyError::StuckAtOnes));
}

#[test]
fn the_continuous_tests_remember_samples_from_before_the_seed() {
    let mut collector = startup(|number| Some(if number < 1020 { honest(number) } else { 9 })).unwrap();
    let error = collector.seed::<RustCrypto>(&mut Source(0, |_| Some(9))).err();
    assert_eq!(error, Some(EntropyError::RepetitionCount { count: 5 }));
}
