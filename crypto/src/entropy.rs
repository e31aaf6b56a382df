// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Noise that is tested before it is believed (SP 800-90B, clauses "Health Tests" and "Conditioning Component").
//!
//! The host of a confidential VM cannot read the processor's generator but may try to starve it, and a broken one has
//! been seen to give all ones and to report success. So the claim here is small: one sample of 64 bits is taken to
//! carry eight bits of entropy, the health tests have cutoffs for that claim, and a seed is condensed from enough
//! samples to hold with it.

use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use self::recent::{LAGS, Recent};
use crate::{Crypto, EntropyError, HashAlg, StreamingHash};

/// Where raw noise comes from: `RDSEED`, the kernel's generator, or what a test invents.
pub trait NoiseSource {
    /// Takes one sample, or `None` when the source has none at this moment.
    fn sample(&mut self) -> Option<u64>;
}

impl<N: NoiseSource + ?Sized> NoiseSource for &mut N {
    fn sample(&mut self) -> Option<u64> {
        (**self).sample()
    }
}

/// Size of a seed: 256 bits of entropy input and 128 bits of nonce would be asked for, and more is given.
pub const SEED_SIZE: usize = 64;

/// A conditioned seed; wiped on drop.
pub type Seed = Zeroizing<[u8; SEED_SIZE]>;

/// The health tests around a noise source, which go on from its start-up to its last sample.
///
/// The first failure is final: every later call reports it again.
#[derive(Clone)]
pub struct EntropyCollector {
    // The latest samples, and how often in a row each lag has found its sample again.
    recent: Recent,
    repeats: [u32; LAGS as usize],
    // The newest one is none of those before it, so that there are no repeats.
    is_new: bool,
    window: Window,
    failed: Option<EntropyError>,
}

// The adaptive proportion test: how often the first sample of a window comes within it.
#[derive(Clone)]
struct Window {
    first: Option<u64>,
    seen: u32,
    count: u32,
}

impl EntropyCollector {
    /// Runs the start-up tests over [`STARTUP_SAMPLES`] samples, which are then thrown away.
    ///
    /// # Errors
    /// The test that failed.
    pub fn start(noise: &mut dyn NoiseSource) -> Result<Self, EntropyError> {
        let mut collector = Self {
            recent: Recent::new(),
            repeats: [0; LAGS as usize],
            is_new: true,
            window: Window { first: None, seen: 0, count: 0 },
            failed: None,
        };
        for _ in 0..STARTUP_SAMPLES {
            collector.sample(noise)?;
        }
        Ok(collector)
    }

    /// Collects tested samples and condenses them with SHA-512, a vetted conditioning component.
    ///
    /// # Errors
    /// The test that failed, now or at any time before.
    pub fn seed<C: Crypto>(&mut self, noise: &mut dyn NoiseSource) -> Result<Seed, EntropyError> {
        let mut hasher = C::Hasher::new(HashAlg::Sha512);
        for _ in 0..SEED_BLOCKS {
            let mut block = Zeroizing::new([[0; 8]; BLOCK_SAMPLES]);
            for place in block.iter_mut() {
                *place = self.sample(noise)?.to_le_bytes();
            }
            hasher.update(block.as_flattened());
        }

        let mut digest = hasher.finish();
        let mut seed = Seed::new([0; SEED_SIZE]);
        seed.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        digest.as_mut_bytes().zeroize();
        Ok(seed)
    }

    fn sample(&mut self, noise: &mut dyn NoiseSource) -> Result<u64, EntropyError> {
        let result = match self.failed {
            Some(error) => Err(error),
            None => patient_sample(noise).and_then(|sample| self.check(sample)),
        };
        self.failed = result.err();
        result
    }

    fn check_lags(&mut self, sample: u64) -> Result<(), EntropyError> {
        for (lag, repeats) in (1..).zip(&mut self.repeats) {
            *repeats = if self.recent.back(lag) == Some(sample) { repeats.saturating_add(1) } else { 0 };
        }
        let is_repeating = |repeats: &u32| *repeats >= REPETITION_CUTOFF.saturating_sub(1);
        match (1usize..).zip(&self.repeats).find(|(_, repeats)| is_repeating(repeats)) {
            Some((lag, repeats)) => Err(repetition(sample, lag, repeats.saturating_add(1))),
            None => Ok(()),
        }
    }

    fn check(&mut self, sample: u64) -> Result<u64, EntropyError> {
        let is_new = !self.recent.contains(sample);
        // Of a good source nearly every sample is new after a new one, and there is nothing to count.
        if !(is_new && self.is_new) {
            self.check_lags(sample)?;
        }
        self.is_new = is_new;
        self.recent.push(sample);

        self.window.check(sample)?;
        Ok(sample)
    }
}

impl Window {
    fn check(&mut self, sample: u64) -> Result<(), EntropyError> {
        if self.first.is_none() || self.seen >= PROPORTION_WINDOW {
            *self = Self { first: Some(sample), seen: 1, count: 1 };
            return Ok(());
        }

        self.seen = self.seen.saturating_add(1);
        if self.first == Some(sample) {
            self.count = self.count.saturating_add(1);
        }
        if self.count >= PROPORTION_CUTOFF {
            return Err(EntropyError::AdaptiveProportion { count: self.count });
        }
        Ok(())
    }
}

// The lag of one is the repetition count test of SP 800-90B; longer lags find a source that runs in a circle.
fn repetition(sample: u64, lag: usize, count: u32) -> EntropyError {
    match (lag, sample) {
        (1, 0) => EntropyError::StuckAtZeros,
        (1, u64::MAX) => EntropyError::StuckAtOnes,
        (1, _) => EntropyError::RepetitionCount { count },
        (period, _) => EntropyError::Repeating { period },
    }
}

fn patient_sample(noise: &mut dyn NoiseSource) -> Result<u64, EntropyError> {
    (0..ATTEMPTS).find_map(|_| noise.sample()).ok_or(EntropyError::Exhausted { attempts: ATTEMPTS })
}

impl fmt::Debug for EntropyCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntropyCollector").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl Drop for EntropyCollector {
    fn drop(&mut self) {
        self.window.first.zeroize();
    }
}

/// How many samples the start-up tests see: "at least 1024 consecutive samples".
pub const STARTUP_SAMPLES: usize = 1024;

/// How many times in a row a source may have nothing.
pub const ATTEMPTS: u32 = 1024;

// 96 samples with a claim of 8 bits each: the 512 bits of the seed, and half of that again.
// They are hashed by the block of SHA-512.
const SEED_BLOCKS: usize = 6;
const BLOCK_SAMPLES: usize = 16;

// Repetition count test: 1 + ceil(30 / H) for a false alarm in 2^30 samples and H = 8.
const REPETITION_CUTOFF: u32 = 5;

// Adaptive proportion test: 1 + critbinom(512, 2^-8, 1 - 2^-30).
const PROPORTION_WINDOW: u32 = 512;
const PROPORTION_CUTOFF: u32 = 16;

mod recent;

#[cfg(test)]
mod tests;
