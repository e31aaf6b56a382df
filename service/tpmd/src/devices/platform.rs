// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The engine's ends on a hosted system: the kernel's generator, its clock, a switch for physical presence.

use std::fmt;
use std::time::Instant;

use evtpm_crypto::RustCrypto;
use evtpm_crypto::entropy::NoiseSource;
use evtpm_engine::Platform;
use zeroize::Zeroizing;

/// A TPM's surroundings as a process of an operating system has them.
#[derive(Debug)]
pub struct HostedPlatform {
    noise: KernelNoise,
    started: Instant,
    physical_presence: bool,
}

impl HostedPlatform {
    /// Begins now.
    #[must_use]
    pub fn new() -> Self {
        HostedPlatform { noise: KernelNoise::default(), started: Instant::now(), physical_presence: false }
    }

    /// Asserts or removes physical presence.
    pub fn set_physical_presence(&mut self, asserted: bool) {
        self.physical_presence = asserted;
    }
}

impl Default for HostedPlatform {
    fn default() -> Self {
        Self::new()
    }
}

impl Platform for HostedPlatform {
    type Crypto = RustCrypto;
    type Noise = KernelNoise;

    fn noise(&mut self) -> &mut KernelNoise {
        &mut self.noise
    }

    fn now_ms(&mut self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn physical_presence(&self) -> bool {
        self.physical_presence
    }
}

/// The kernel's random generator as a noise source; the health tests above it apply all the same.
///
/// A seed takes a hundred samples: they are fetched many at a time, and each is wiped when it is given out.
pub struct KernelNoise {
    fetched: Zeroizing<[u64; FETCH]>,
    left: usize,
}

/// Samples of one call: as many as a seed takes.
const FETCH: usize = 96;

impl Default for KernelNoise {
    fn default() -> Self {
        KernelNoise { fetched: Zeroizing::new([0; FETCH]), left: 0 }
    }
}

impl NoiseSource for KernelNoise {
    fn sample(&mut self) -> Option<u64> {
        if self.left == 0 {
            let mut bytes = Zeroizing::new([0; FETCH * size_of::<u64>()]);
            getrandom::fill(&mut *bytes).ok()?;
            for (sample, bytes) in self.fetched.iter_mut().zip(bytes.chunks_exact(size_of::<u64>())) {
                *sample = bytes.try_into().map_or(0, u64::from_ne_bytes);
            }
            self.left = FETCH;
        }
        self.left -= 1;
        self.fetched.get_mut(self.left).map(std::mem::take)
    }
}

impl fmt::Debug for KernelNoise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelNoise").field("left", &self.left).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sample_is_given_twice_and_none_stays_behind() {
        let mut noise = KernelNoise::default();
        let mut samples: Vec<u64> = (0..3 * FETCH).map(|_| noise.sample().unwrap()).collect();
        assert_eq!(*noise.fetched, [0; FETCH]);
        samples.sort_unstable();
        samples.dedup();
        assert_eq!(samples.len(), 3 * FETCH);
    }
}
