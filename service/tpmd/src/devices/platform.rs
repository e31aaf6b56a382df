// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The engine's ends on a hosted system: the kernel's generator, its clock, a switch for physical presence.

use std::time::Instant;

use evtpm_crypto::RustCrypto;
use evtpm_crypto::entropy::NoiseSource;
use evtpm_engine::Platform;

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
        HostedPlatform { noise: KernelNoise, started: Instant::now(), physical_presence: false }
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
#[derive(Debug, Clone, Copy)]
pub struct KernelNoise;

impl NoiseSource for KernelNoise {
    fn sample(&mut self) -> Option<u64> {
        getrandom::u64().ok()
    }
}
