// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Noise that is the same in every run, and the ways in which a source goes bad.

use evtpm_crypto::entropy::NoiseSource;
use evtpm_crypto::{EntropyError, Rng};

/// A source of noise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noise {
    /// A good source; two with different numbers give different noise.
    Good(u64),
    /// Always the same sample.
    Stuck(u64),
    /// The same few samples in a circle, counted by the number beside them.
    Circle(Vec<u64>, usize),
    /// Good for that many samples, and then there is nothing.
    Exhausted {
        /// The state of the good part.
        state: u64,
        /// How many samples are left.
        left: u32,
    },
}

impl NoiseSource for Noise {
    fn sample(&mut self) -> Option<u64> {
        match self {
            Self::Good(state) => Some(next(state)),
            Self::Stuck(value) => Some(*value),
            Self::Circle(values, at) => {
                let sample = values.get(*at % values.len()).copied();
                *at += 1;
                sample
            }
            Self::Exhausted { state, left } => {
                *left = left.checked_sub(1)?;
                Some(next(state))
            }
        }
    }
}

impl Rng for Noise {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(8) {
            let sample = self.sample().ok_or(EntropyError::Exhausted { attempts: 1 })?;
            chunk.iter_mut().zip(sample.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// SplitMix64: every 64-bit word, each once.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
