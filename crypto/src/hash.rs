// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hash algorithms by name, their digests, and what a streaming implementation offers (FIPS 180-4, FIPS 202).

use core::fmt;

/// Size of the longest digest, SHA-512's.
pub const MAX_DIGEST_SIZE: usize = 64;

/// Size of the longest input block, SHA3-256's (its rate of 1088 bits).
pub const MAX_HASH_BLOCK_SIZE: usize = 136;

/// A hash algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlg {
    /// SHA-1 (FIPS 180-4), for old PCR banks only.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-384 (FIPS 180-4).
    Sha384,
    /// SHA-512 (FIPS 180-4).
    Sha512,
    /// SHA3-256 (FIPS 202).
    Sha3_256,
    /// SHA3-384 (FIPS 202).
    Sha3_384,
    /// SHA3-512 (FIPS 202).
    Sha3_512,
    /// SHAKE256 with 512 bits of output (FIPS 202), which ML-DSA hashes messages with.
    Shake256_512,
}

impl HashAlg {
    /// Every algorithm, in the order of the TPM's algorithm identifiers.
    pub const ALL: [Self; 8] = [
        Self::Sha1,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha3_256,
        Self::Sha3_384,
        Self::Sha3_512,
        Self::Shake256_512,
    ];

    /// Returns the size of a digest in bytes.
    #[must_use]
    pub const fn digest_size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sha3_256 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 | Self::Shake256_512 => 64,
        }
    }

    /// Returns the size of an input block in bytes, which is what HMAC pads a key to.
    #[must_use]
    pub const fn block_size(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
            Self::Sha3_256 | Self::Shake256_512 => 136,
            Self::Sha3_384 => 104,
            Self::Sha3_512 => 72,
        }
    }
}

/// A digest: at most [`MAX_DIGEST_SIZE`] bytes, compared as a whole and in no particular time; a MAC that somebody
/// presents is compared with [`constant_time_eq`](crate::constant_time_eq).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    // Bytes behind `len` are zero, so that equality may compare the whole array.
    bytes: [u8; MAX_DIGEST_SIZE],
    len: u8,
}

impl Digest {
    /// The digest of no bytes, as the TPM's Empty Buffer.
    pub const EMPTY: Self = Self { bytes: [0; MAX_DIGEST_SIZE], len: 0 };

    /// Returns the digest of an algorithm whose bytes are all zero, the initial value of most PCRs.
    #[must_use]
    pub const fn zero(alg: HashAlg) -> Self {
        Self { bytes: [0; MAX_DIGEST_SIZE], len: digest_len(alg) }
    }

    /// Returns so many bytes that are zero, or the empty digest where they are more than a number of eight bits.
    pub(crate) fn zeros(len: usize) -> Self {
        Self { bytes: [0; MAX_DIGEST_SIZE], len: u8::try_from(len).unwrap_or(0) }
    }

    /// Takes over the bytes of a digest; `None` when they are more than any algorithm gives.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let mut digest = Self { bytes: [0; MAX_DIGEST_SIZE], len: u8::try_from(bytes.len()).ok()? };
        digest.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(digest)
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&self.bytes)
    }

    /// Returns the bytes for change in place.
    #[must_use]
    pub fn as_mut_bytes(&mut self) -> &mut [u8] {
        let (bytes, _) = self.bytes.split_at_mut_checked(usize::from(self.len)).unwrap_or_default();
        bytes
    }

    /// Returns the number of bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Tells whether there are no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

const fn digest_len(alg: HashAlg) -> u8 {
    match alg {
        HashAlg::Sha1 => 20,
        HashAlg::Sha256 | HashAlg::Sha3_256 => 32,
        HashAlg::Sha384 | HashAlg::Sha3_384 => 48,
        HashAlg::Sha512 | HashAlg::Sha3_512 | HashAlg::Shake256_512 => 64,
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(")?;
        for byte in self.as_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// A hash computation that takes its input in pieces; cloning it forks the computation.
///
/// Implementations wipe their state on drop, because HMAC and the key derivations run keys through them.
pub trait StreamingHash: Clone {
    /// Starts a computation.
    fn new(alg: HashAlg) -> Self;

    /// Returns the algorithm that this computation was started with.
    fn alg(&self) -> HashAlg;

    /// Takes in more input.
    fn update(&mut self, data: &[u8]);

    /// Ends the computation.
    fn finish(self) -> Digest;

    /// Writes the state to the front of `out` and returns its size; `None` if `out` is shorter than that.
    ///
    /// The bytes are as secret as what was hashed, and only the same implementation understands them.
    fn save(&self, out: &mut [u8]) -> Option<usize>;

    /// Goes on from a saved state; `None` if the bytes are no state of this algorithm.
    fn restore(alg: HashAlg, saved: &[u8]) -> Option<Self>;
}

/// Size of the longest saved state of a streaming hash.
pub const MAX_HASH_STATE_SIZE: usize = 360;

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn a_digest_remembers_exactly_its_bytes() {
        let digest = Digest::from_slice(&[1, 2, 3]).unwrap();
        assert_eq!(digest.as_bytes(), [1, 2, 3]);
        assert_eq!(format!("{digest:?}"), "Digest(010203)");
        assert_ne!(digest, Digest::from_slice(&[1, 2, 3, 0]).unwrap());
    }

    #[test]
    fn more_bytes_than_the_longest_digest_are_refused() {
        assert_eq!(Digest::from_slice(&[0; 65]), None);
        assert_eq!(Digest::from_slice(&[0; 300]), None);
    }

    #[test]
    fn the_zero_digest_has_the_size_of_its_algorithm() {
        for alg in HashAlg::ALL {
            assert_eq!(Digest::zero(alg).len(), alg.digest_size());
        }
    }
}
