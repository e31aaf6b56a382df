// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Random numbers for tests: one source that only counts, one that fails.

use evtpm_crypto::{Crypto, EntropyError, HashAlg, Rng, RustCrypto};

/// Bytes that differ at each call and are the same in each run.
pub(crate) struct Counter(u64);

impl Counter {
    pub(crate) const fn new() -> Self {
        Counter(0)
    }
}

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in out.chunks_mut(32) {
            self.0 += 1;
            let block = RustCrypto::hash(HashAlg::Sha256, &[&self.0.to_be_bytes()]);
            chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// A source without entropy.
pub(crate) struct StuckRng;

impl Rng for StuckRng {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::Exhausted { attempts: 1 })
    }
}
