// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The system's random generator, for nonces, secrets and names.

use evtpm_crypto::{EntropyError, Rng};

use crate::hex::hex;

/// The kernel's generator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemRng;

impl Rng for SystemRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(out).map_err(|_| EntropyError::Exhausted { attempts: 1 })
    }
}

/// Makes a name of 128 random bits that nobody can guess.
pub(crate) fn name() -> Result<String, EntropyError> {
    hexadecimal::<16>()
}

/// Makes `N` random bytes, in hexadecimal.
pub(crate) fn hexadecimal<const N: usize>() -> Result<String, EntropyError> {
    let mut bytes = [0; N];
    SystemRng.fill(&mut bytes)?;
    Ok(hex(&bytes))
}
