// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The system's random generator, for whoever drives a TPM from a hosted program.

use evtpm_crypto::{EntropyError, Rng};

/// The kernel's generator.
#[derive(Debug, Clone, Copy)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|_| EntropyError::Exhausted { attempts: 1 })
    }
}
