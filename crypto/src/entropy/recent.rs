// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The latest samples of a source, which tell whether another is one of them without a look at each.
//!
//! Samples with the same low byte hang together, the newest first. Of a good source's samples seven in eight meet nobody
//! there, and the others one, so that a sample costs a few steps however many it is compared with.

use zeroize::Zeroize;

/// So many samples are remembered.
pub(super) const LAGS: u8 = 32;

// Samples are numbered modulo 256; a chain ends where it does not lead back, but not further than `known`.
#[derive(Clone)]
pub(super) struct Recent {
    // The sample with the number n is at n modulo LAGS, and beside it the number of the one before it in its chain.
    samples: [u64; LAGS as usize],
    earlier: [u8; LAGS as usize],
    // Of each low byte, the number of the newest sample.
    newest: [u8; 256],
    // The number of the sample to come.
    next: u8,
    // How many are remembered: fewer than all at the start.
    known: u8,
}

impl Recent {
    pub(super) const fn new() -> Self {
        Self { samples: [0; LAGS as usize], earlier: [0; LAGS as usize], newest: [0; 256], next: 0, known: 0 }
    }

    /// Tells whether it is one of the latest.
    pub(super) fn contains(&self, sample: u64) -> bool {
        let mut number = self.newest.get(chain(sample)).copied().unwrap_or_default();
        let mut nearer = 0;
        loop {
            let lag = self.next.wrapping_sub(number);
            if lag <= nearer || lag > self.known {
                return false;
            }
            if self.back(lag) == Some(sample) {
                return true;
            }
            nearer = lag;
            number = self.earlier.get(place(number)).copied().unwrap_or_default();
        }
    }

    /// The sample so many before the one to come.
    pub(super) fn back(&self, lag: u8) -> Option<u64> {
        if lag > self.known {
            return None;
        }
        self.samples.get(place(self.next.wrapping_sub(lag))).copied()
    }

    /// Remembers a sample in the oldest one's place.
    pub(super) fn push(&mut self, sample: u64) {
        let at = place(self.next);
        let newest = self.newest.get_mut(chain(sample));
        if let (Some(oldest), Some(earlier), Some(newest)) =
            (self.samples.get_mut(at), self.earlier.get_mut(at), newest)
        {
            *oldest = sample;
            *earlier = core::mem::replace(newest, self.next);
        }
        self.next = self.next.wrapping_add(1);
        self.known = self.known.saturating_add(1).min(LAGS);
    }
}

fn place(number: u8) -> usize {
    usize::from(number % LAGS)
}

fn chain(sample: u64) -> usize {
    usize::from(sample.to_le_bytes()[0])
}

impl Drop for Recent {
    fn drop(&mut self) {
        // As slices: arrays are wiped element by element.
        self.samples.as_mut_slice().zeroize();
        self.earlier.as_mut_slice().zeroize();
        self.newest.as_mut_slice().zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    /// The same question, answered by a look at each.
    fn is_among(samples: &[u64], sample: u64) -> bool {
        samples.iter().rev().take(usize::from(LAGS)).any(|known| *known == sample)
    }

    #[test]
    fn a_sample_is_found_where_a_look_at_each_would_find_it() {
        let mut state = 1u64;
        for spread in [1, 2, 3, 30, 40, 300, 5000] {
            let mut recent = Recent::new();
            let mut samples = Vec::new();
            for _ in 0..2000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Few values, of which many have their low byte in common.
                let sample = (state >> 33) % spread * 64;
                assert_eq!(recent.contains(sample), is_among(&samples, sample), "{spread}: {}", samples.len());
                recent.push(sample);
                samples.push(sample);
                let back: Vec<u64> = (1..=LAGS).map_while(|lag| recent.back(lag)).collect();
                assert!(back.iter().eq(samples.iter().rev().take(usize::from(LAGS))));
            }
        }
    }

    #[test]
    fn zeros_that_nobody_gave_are_not_found() {
        let mut recent = Recent::new();
        assert!(!recent.contains(0));
        recent.push(256);
        assert!(!recent.contains(0));
        recent.push(0);
        assert!(recent.contains(0) && recent.contains(256));
    }
}
