// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two signatures of Ed25519 that a TPM knows (RFC 8032, "Ed25519ph, Ed25519ctx, and Ed25519").

use crate::{HashAlg, StreamingHash};

/// A variant of EdDSA on Curve25519.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdDsa {
    /// Ed25519 signs a message.
    Pure,
    /// Ed25519ph signs the SHA-512 digest of a message, here without a context.
    PreHash,
}

impl EdDsa {
    /// Returns what is hashed first: "`dom2(x, y)`: the blank octet string when signing or verifying Ed25519 signatures.
    /// Otherwise ... `SigEd25519 no Ed25519 collisions || octet(x) || octet(OLEN(y)) || y`".
    #[must_use]
    pub const fn domain(self) -> &'static [u8] {
        match self {
            Self::Pure => b"",
            Self::PreHash => b"SigEd25519 no Ed25519 collisions\x01\x00",
        }
    }

    /// Starts the hash "`SHA512(dom2(F, C) || R || A || PH(M))`" of a verification: whoever knows the signature's first
    /// half can feed the message piece by piece.
    #[must_use]
    pub fn challenge<H: StreamingHash>(self, r: &[u8], public: &[u8]) -> H {
        let mut hasher = H::new(HashAlg::Sha512);
        for part in [self.domain(), r, public] {
            hasher.update(part);
        }
        hasher
    }
}
