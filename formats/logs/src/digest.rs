// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Digests, the algorithm identifiers that name their bank, and the hash functions that the caller lends.

use core::fmt;

/// A `TPM_ALG_ID` of a hash algorithm (TPM 2.0 Part 2, "TPM_ALG_ID"); values that this crate cannot name are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashId(pub u16);

impl HashId {
    /// SHA-1.
    pub const SHA1: HashId = HashId(0x0004);
    /// SHA-256.
    pub const SHA256: HashId = HashId(0x000B);
    /// SHA-384.
    pub const SHA384: HashId = HashId(0x000C);
    /// SHA-512.
    pub const SHA512: HashId = HashId(0x000D);
    /// SM3-256.
    pub const SM3_256: HashId = HashId(0x0012);
    /// SHA3-256.
    pub const SHA3_256: HashId = HashId(0x0027);
    /// SHA3-384.
    pub const SHA3_384: HashId = HashId(0x0028);
    /// SHA3-512.
    pub const SHA3_512: HashId = HashId(0x0029);

    /// Returns the digest size in bytes, if the algorithm is one that this crate names.
    #[must_use]
    pub const fn digest_size(self) -> Option<usize> {
        match self {
            Self::SHA1 => Some(20),
            Self::SHA256 | Self::SM3_256 | Self::SHA3_256 => Some(32),
            Self::SHA384 | Self::SHA3_384 => Some(48),
            Self::SHA512 | Self::SHA3_512 => Some(64),
            _ => None,
        }
    }

    /// Returns the name as the Linux kernel and TPM tools write it.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::SHA1 => Some("sha1"),
            Self::SHA256 => Some("sha256"),
            Self::SHA384 => Some("sha384"),
            Self::SHA512 => Some("sha512"),
            Self::SM3_256 => Some("sm3-256"),
            Self::SHA3_256 => Some("sha3-256"),
            Self::SHA3_384 => Some("sha3-384"),
            Self::SHA3_512 => Some("sha3-512"),
            _ => None,
        }
    }

    /// Finds the algorithm that the Linux kernel calls `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "sha256" => Self::SHA256,
            "sha1" => Self::SHA1,
            "sha384" => Self::SHA384,
            "sha512" => Self::SHA512,
            // Kernels before 5.17 write "sm3-256", later ones "sm3"; "sm3_256" is the name of tpm2-tools and Keylime.
            "sm3-256" | "sm3" | "sm3_256" => Self::SM3_256,
            "sha3-256" => Self::SHA3_256,
            "sha3-384" => Self::SHA3_384,
            "sha3-512" => Self::SHA3_512,
            _ => return None,
        })
    }
}

impl fmt::Display for HashId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "TPM_ALG_ID {:#06x}", self.0),
        }
    }
}

/// A digest of up to 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    // Bytes behind `length` are zero, so that derived equality is equality of digests.
    bytes: [u8; Digest::MAX],
    length: u8,
}

impl Digest {
    /// The size of the largest digest.
    pub const MAX: usize = 64;

    /// Copies a digest; `None` if it is longer than [`Digest::MAX`].
    #[must_use]
    pub fn new(digest: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..digest.len())?.copy_from_slice(digest);
        Some(Digest { bytes, length: u8::try_from(digest.len()).ok()? })
    }

    /// Makes a digest of `size` bytes that all have one value; `None` if it would be longer than [`Digest::MAX`].
    #[must_use]
    pub fn filled(value: u8, size: usize) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..size)?.fill(value);
        Some(Digest { bytes, length: u8::try_from(size).ok()? })
    }

    /// Makes the digest longer by zeros, as kernels before 5.8 do with a SHA-1 digest for a larger bank.
    #[must_use]
    pub fn padded_to(self, size: usize) -> Option<Self> {
        let length = u8::try_from(size).ok()?;
        (length >= self.length && size <= Self::MAX).then_some(Digest { length, ..self })
    }

    /// Returns the digest's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq<[u8]> for Digest {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::Hex(self.as_bytes()).fmt(f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The hash functions that the caller lends for replay.
pub trait Hashes {
    /// Hashes the concatenation of `parts`; `None` if the algorithm is not available.
    fn hash(&self, algorithm: HashId, parts: &[&[u8]]) -> Option<Digest>;
}

impl<H: Hashes + ?Sized> Hashes for &H {
    fn hash(&self, algorithm: HashId, parts: &[&[u8]]) -> Option<Digest> {
        (**self).hash(algorithm, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn leading_zeros_count_in_a_comparison() {
        assert_ne!(Digest::new(&[0, 1]), Digest::new(&[1]));
        assert_ne!(Digest::new(&[1, 0]), Digest::new(&[1]));
    }

    #[test]
    fn a_digest_longer_than_64_bytes_does_not_exist() {
        assert!(Digest::new(&[0; 65]).is_none());
        assert!(Digest::filled(0, 65).is_none());
    }

    #[test]
    fn padding_only_makes_longer() {
        let digest = Digest::new(&[7; 20]).unwrap();
        assert_eq!(digest.padded_to(32).unwrap().as_bytes(), [[7; 20].as_slice(), &[0; 12]].concat());
        assert!(digest.padded_to(19).is_none());
        assert!(digest.padded_to(65).is_none());
    }

    #[test]
    fn an_unnamed_algorithm_is_shown_by_number() {
        assert_eq!(HashId(0x1234).to_string(), "TPM_ALG_ID 0x1234");
        assert_eq!(HashId::from_name("sm3"), Some(HashId::SM3_256));
        assert_eq!(HashId::from_name("sm3_256"), Some(HashId::SM3_256));
        assert_eq!(HashId::from_name("md5"), None);
        let named = (0..0x30).map(HashId).filter(|id| id.name().is_some());
        assert!(
            named.clone().count() == 8 && named.into_iter().all(|id| HashId::from_name(id.name().unwrap()) == Some(id))
        );
    }
}
