// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HMAC over any streaming hash (FIPS 198-1, clause "HMAC Specification").

use core::fmt;

use zeroize::Zeroize;

use crate::{Digest, HashAlg, MAX_HASH_BLOCK_SIZE, StreamingHash, constant_time_eq};

// "the byte x'36' repeated B times", "the byte x'5c' repeated B times"
const IPAD: u8 = 0x36;
const OPAD: u8 = 0x5c;

/// An HMAC computation that takes its input in pieces; cloning it after the key was taken in saves two compressions.
#[derive(Clone)]
pub struct Hmac<H: StreamingHash> {
    inner: H,
    outer: H,
}

impl<H: StreamingHash> Hmac<H> {
    /// Starts a computation with a key of any length.
    #[must_use]
    pub fn new(alg: HashAlg, key: &[u8]) -> Self {
        let mut memory = [0u8; MAX_HASH_BLOCK_SIZE];
        let (block, _) = memory.split_at_mut_checked(alg.block_size()).unwrap_or_default();
        if key.len() > alg.block_size() {
            // "If the length of K > B: hash K to obtain an L byte string, then append (B-L) zeros"
            let mut hasher = H::new(alg);
            hasher.update(key);
            let mut digest = hasher.finish();
            fill_front(block, digest.as_bytes());
            digest.as_mut_bytes().zeroize();
        } else {
            fill_front(block, key);
        }

        let inner = Self::padded(alg, block, IPAD);
        let outer = Self::padded(alg, block, IPAD ^ OPAD);
        memory.as_mut_slice().zeroize();
        Self { inner, outer }
    }

    // Feeds the block xor pad, and leaves it so.
    fn padded(alg: HashAlg, block: &mut [u8], pad: u8) -> H {
        block.iter_mut().for_each(|byte| *byte ^= pad);
        let mut hasher = H::new(alg);
        hasher.update(block);
        hasher
    }

    /// Takes in more of the message.
    pub fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    /// Takes in more of the message and hands the computation on.
    #[must_use]
    pub fn chain(mut self, data: &[u8]) -> Self {
        self.update(data);
        self
    }

    /// Ends the computation.
    #[must_use]
    pub fn finish(self) -> Digest {
        let Self { inner, mut outer } = self;
        outer.update(inner.finish().as_bytes());
        outer.finish()
    }

    /// Ends the computation and compares with an expected value in constant time; a shortened value does not match.
    #[must_use]
    pub fn verify(self, expected: &[u8]) -> bool {
        constant_time_eq(self.finish().as_bytes(), expected)
    }

    /// Returns the two hash computations that make up this one: over the inner and over the outer padded key.
    pub const fn parts(&self) -> (&H, &H) {
        (&self.inner, &self.outer)
    }

    /// Puts a computation together from its two [parts](Self::parts).
    #[must_use]
    pub const fn from_parts(inner: H, outer: H) -> Self {
        Self { inner, outer }
    }

    /// Returns the hash algorithm.
    #[must_use]
    pub fn alg(&self) -> HashAlg {
        self.inner.alg()
    }
}

fn fill_front(block: &mut [u8], bytes: &[u8]) {
    if let Some(front) = block.get_mut(..bytes.len()) {
        front.copy_from_slice(bytes);
    }
}

impl<H: StreamingHash> fmt::Debug for Hmac<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hmac").field("alg", &self.alg()).finish_non_exhaustive()
    }
}
