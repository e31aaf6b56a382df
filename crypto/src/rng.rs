// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where operations take their randomness from: always from the caller, and it may fail.

use crate::EntropyError;

/// A source of random bytes fit for keys and nonces; object safe, so that operations take `&mut dyn Rng`.
pub trait Rng {
    /// Fills the whole buffer, or reports why nothing in it may be used.
    ///
    /// # Errors
    /// The health of the noise source below, or a limit of the generator.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;

    /// Fills the whole buffer after taking in additional input (SP 800-90A r1, "additional_input"), on which what a
    /// deterministic generator gives depends from then on. Whatever has its bytes from elsewhere needs none.
    ///
    /// # Errors
    /// As [`Rng::fill`].
    fn fill_with(&mut self, _additional: &[u8], out: &mut [u8]) -> Result<(), EntropyError> {
        self.fill(out)
    }
}

impl<R: Rng + ?Sized> Rng for &mut R {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill(out)
    }

    fn fill_with(&mut self, additional: &[u8], out: &mut [u8]) -> Result<(), EntropyError> {
        (**self).fill_with(additional, out)
    }
}
