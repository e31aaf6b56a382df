// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HMAC_DRBG with SHA-256 (SP 800-90A r1, clause "HMAC_DRBG"), and the generator that feeds one from tested noise.

use core::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::entropy::{EntropyCollector, NoiseSource};
use crate::{Crypto, Digest, EntropyError, HashAlg, Hmac, Rng};

/// Most bytes that one request may take: 2^19 bits.
pub const MAX_REQUEST: usize = 1 << 16;

/// How many requests are answered from one seed; the standard would allow 2^48.
pub const RESEED_INTERVAL: u64 = 1 << 24;

type Block = Zeroizing<[u8; 32]>;

/// The deterministic generator: same seed, same bytes. Primary keys come from one that is seeded with a primary seed.
pub struct HmacDrbg<C: Crypto> {
    key: Block,
    value: Block,
    // "The number of requests for pseudorandom bits since instantiation or reseeding", counted from one.
    requests: u64,
    provider: core::marker::PhantomData<C>,
}

impl<C: Crypto> HmacDrbg<C> {
    /// Instantiates from entropy, a nonce and a personalization string, any of which may come in the others' place.
    #[must_use]
    pub fn new(entropy: &[u8], nonce: &[u8], personalization: &[u8]) -> Self {
        let mut drbg = Self {
            key: Zeroizing::new([0; 32]),
            value: Zeroizing::new([1; 32]),
            requests: 1,
            provider: core::marker::PhantomData,
        };
        drbg.update(&[entropy, nonce, personalization]);
        drbg
    }

    /// Takes in fresh entropy and additional input.
    pub fn reseed(&mut self, entropy: &[u8], additional: &[u8]) {
        self.update(&[entropy, additional]);
        self.requests = 1;
    }

    /// Fills the buffer after taking in additional input, which may be empty.
    ///
    /// # Errors
    /// [`EntropyError::RequestTooLong`], [`EntropyError::ReseedRequired`].
    pub fn generate(&mut self, additional: &[u8], out: &mut [u8]) -> Result<(), EntropyError> {
        if out.len() > MAX_REQUEST {
            return Err(EntropyError::RequestTooLong { limit: MAX_REQUEST, actual: out.len() });
        }
        if self.requests > RESEED_INTERVAL {
            return Err(EntropyError::ReseedRequired);
        }

        if !additional.is_empty() {
            self.update(&[additional]);
        }
        self.fill_blocks(out);
        self.update(&[additional]);
        self.requests = self.requests.saturating_add(1);
        Ok(())
    }

    // V = HMAC(K, V) for each block; one key schedule does for all of them.
    #[inline(never)] // As `mac`.
    fn fill_blocks(&mut self, out: &mut [u8]) {
        let keyed = Hmac::<C::Hasher>::new(HashAlg::Sha256, &*self.key);
        for chunk in out.chunks_mut(self.value.len()) {
            let value = keyed.clone().chain(&*self.value).finish();
            store(&mut self.value, value);
            if let Some(value) = self.value.get(..chunk.len()) {
                chunk.copy_from_slice(value);
            }
        }
    }

    // HMAC_DRBG_Update over the concatenation of the parts.
    fn update(&mut self, data: &[&[u8]]) {
        self.rekey(0, data);
        if data.iter().any(|part| !part.is_empty()) {
            self.rekey(1, data);
        }
    }

    // K = HMAC(K, V || round || data), V = HMAC(K, V)
    fn rekey(&mut self, round: u8, data: &[&[u8]]) {
        let key = self.mac(&[round], data);
        store(&mut self.key, key);
        let value = self.mac(&[], &[]);
        store(&mut self.value, value);
    }

    // HMAC(K, V || round || data)
    #[inline(never)] // Its stack is there once, however deep the generator is in its own.
    fn mac(&self, round: &[u8], data: &[&[u8]]) -> Digest {
        let mut mac = Hmac::<C::Hasher>::new(HashAlg::Sha256, &*self.key);
        mac.update(&*self.value);
        mac.update(round);
        data.iter().for_each(|part| mac.update(part));
        mac.finish()
    }
}

fn store(block: &mut Block, mut digest: Digest) {
    if let Some(bytes) = digest.as_bytes().first_chunk() {
        **block = *bytes;
    }
    digest.as_mut_bytes().zeroize();
}

impl<C: Crypto> Rng for HmacDrbg<C> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.fill_with(&[], out)
    }

    fn fill_with(&mut self, additional: &[u8], out: &mut [u8]) -> Result<(), EntropyError> {
        out.chunks_mut(MAX_REQUEST).try_for_each(|chunk| self.generate(additional, chunk))
    }
}

impl<C: Crypto> fmt::Debug for HmacDrbg<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacDrbg").field("requests", &self.requests).finish_non_exhaustive()
    }
}

/// The generator for nonces and fresh keys: an [`HmacDrbg`] whose seeds come from noise that passed its health tests.
///
/// It asks for bytes ahead, since a request costs more than the bytes of a nonce: whoever sees its memory sees no byte that
/// was given out before, and could compute the ones to come from the state beside them anyway.
pub struct RandomGenerator<C: Crypto> {
    drbg: HmacDrbg<C>,
    collector: EntropyCollector,
    // Bytes are taken from the end, and wiped as they go.
    ahead: Zeroizing<[u8; AHEAD]>,
    left: usize,
}

/// So many bytes are asked for at once.
const AHEAD: usize = 256;

impl<C: Crypto> RandomGenerator<C> {
    /// Runs the start-up tests of the noise source and seeds the generator.
    ///
    /// # Errors
    /// The health test that failed; there is no generator then.
    pub fn start(noise: &mut dyn NoiseSource, personalization: &[u8]) -> Result<Self, EntropyError> {
        let mut collector = EntropyCollector::start(noise)?;
        // "The nonce ... may be acquired from the same source as the entropy input": the seed holds both.
        let seed = collector.seed::<C>(noise)?;
        let drbg = HmacDrbg::new(&*seed, &[], personalization);
        Ok(Self { drbg, collector, ahead: Zeroizing::new([0; AHEAD]), left: 0 })
    }

    /// A copy, which gives the very bytes that this one would give: for tests, which copy a whole TPM with its generator.
    #[doc(hidden)]
    #[must_use]
    pub fn twin(&self) -> Self {
        let drbg = HmacDrbg {
            key: self.drbg.key.clone(),
            value: self.drbg.value.clone(),
            requests: self.drbg.requests,
            provider: core::marker::PhantomData,
        };
        Self { drbg, collector: self.collector.clone(), ahead: self.ahead.clone(), left: self.left }
    }

    /// Takes in fresh noise and additional input, as TPM2_StirRandom offers it.
    ///
    /// # Errors
    /// The health test that failed, now or before; the generator still holds its old seed.
    pub fn reseed(&mut self, noise: &mut dyn NoiseSource, additional: &[u8]) -> Result<(), EntropyError> {
        let seed = self.collector.seed::<C>(noise)?;
        self.drbg.reseed(&*seed, additional);
        self.ahead.as_mut_slice().zeroize();
        self.left = 0;
        Ok(())
    }

    /// Tells whether so many requests were answered that the owner should reseed at the next good moment.
    #[must_use]
    pub fn wants_reseed(&self) -> bool {
        self.drbg.requests > RESEED_INTERVAL / 256
    }
}

impl<C: Crypto> Rng for RandomGenerator<C> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        if out.len() > AHEAD {
            return self.drbg.fill(out);
        }
        if self.left < out.len() {
            self.left = 0;
            self.drbg.fill(&mut *self.ahead)?;
            self.left = AHEAD;
        }

        let rest = self.left.saturating_sub(out.len());
        let taken = self.ahead.iter_mut().skip(rest);
        out.iter_mut().zip(taken).for_each(|(to, from)| *to = core::mem::take(from));
        self.left = rest;
        Ok(())
    }
}

impl<C: Crypto> fmt::Debug for RandomGenerator<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomGenerator").field("drbg", &self.drbg).field("collector", &self.collector).finish()
    }
}

/// Lends an [`Rng`] to code that wants rand_core's traits.
pub struct RandCore<'a>(pub &'a mut dyn Rng);

impl rand_core::TryRng for RandCore<'_> {
    type Error = EntropyError;

    fn try_next_u32(&mut self) -> Result<u32, EntropyError> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, EntropyError> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0.fill(out)
    }
}

impl rand_core::TryCryptoRng for RandCore<'_> {}

impl fmt::Debug for RandCore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandCore")
    }
}

#[cfg(test)]
mod tests;
