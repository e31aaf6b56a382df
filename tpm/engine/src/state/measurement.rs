// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One digest for each PCR bank over the same data: for H-CRTM and event sequences.

use crate::memory::{OutOfMemory, Slots};
use evtpm_crypto::{Digest, HashAlg, StreamingHash};

/// A running hash for each bank.
#[derive(Clone)]
pub(crate) struct BankHashers<H> {
    hashers: Slots<H>,
}

impl<H: StreamingHash> BankHashers<H> {
    /// Starts a hash for each of `count` algorithms.
    pub(crate) fn start(count: usize, algorithms: impl Iterator<Item = HashAlg>) -> Result<Self, OutOfMemory> {
        let mut hashers = Slots::reserve(count)?;
        for alg in algorithms {
            hashers.insert(H::new(alg))?;
        }
        Ok(Self { hashers })
    }

    /// Takes in data.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.hashers.values_mut().for_each(|hasher| hasher.update(data));
    }

    /// Walks over the digests of all that came so far.
    pub(crate) fn digests(&self) -> impl Iterator<Item = (HashAlg, Digest)> {
        self.hashers.iter().map(|(_, hasher)| (hasher.alg(), hasher.clone().finish()))
    }

    /// Walks over the running hashes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &H> {
        self.hashers.iter().map(|(_, hasher)| hasher)
    }

    /// Goes on with hashes that ran before.
    pub(crate) fn resume(hashers: Slots<H>) -> Self {
        Self { hashers }
    }
}

/// Two are equal when nothing could tell them apart: their digests are equal.
impl<H: StreamingHash> PartialEq for BankHashers<H> {
    fn eq(&self, other: &Self) -> bool {
        self.digests().eq(other.digests())
    }
}

impl<H: StreamingHash> Eq for BankHashers<H> {}

impl<H> core::fmt::Debug for BankHashers<H> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "BankHashers({})", self.hashers.used())
    }
}
