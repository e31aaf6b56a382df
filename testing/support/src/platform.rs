// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The machine that a TPM lives in, as far as a test has to decide it.

use evtpm_crypto::RustCrypto;
use evtpm_engine::Platform;

use crate::Noise;

/// A platform whose clock stands until it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPlatform {
    /// The noise.
    pub noise: Noise,
    /// The time.
    pub now_ms: u64,
    /// Whether somebody holds the physical-presence line.
    pub physical_presence: bool,
}

impl TestPlatform {
    /// Returns a platform with this noise, without physical presence.
    #[must_use]
    pub const fn new(noise: Noise) -> Self {
        Self { noise, now_ms: 1_000, physical_presence: false }
    }
}

impl Platform for TestPlatform {
    type Crypto = RustCrypto;
    type Noise = Noise;

    fn noise(&mut self) -> &mut Noise {
        &mut self.noise
    }

    fn now_ms(&mut self) -> u64 {
        self.now_ms
    }

    fn physical_presence(&self) -> bool {
        self.physical_presence
    }
}
