// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HKDF and the last step of DHKEM (RFC 5869; RFC 9180, "DH-Based KEM (DHKEM)").

use crate::{Crypto, CryptoError, Digest, EccCurve, HashAlg};

/// A key encapsulation of RFC 9180, "Key Encapsulation Mechanisms (KEMs)": the curve decides the hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dhkem {
    /// DHKEM(P-256, HKDF-SHA256).
    P256,
    /// DHKEM(P-384, HKDF-SHA384).
    P384,
    /// DHKEM(P-521, HKDF-SHA512).
    P521,
    /// DHKEM(X25519, HKDF-SHA256).
    X25519,
}

impl Dhkem {
    /// Returns the encapsulation over a NIST curve.
    #[must_use]
    pub const fn of_curve(curve: EccCurve) -> Option<Self> {
        match curve {
            EccCurve::P256 => Some(Self::P256),
            EccCurve::P384 => Some(Self::P384),
            EccCurve::P521 => Some(Self::P521),
            EccCurve::BnP256 => None,
        }
    }

    /// Returns the hash of its HKDF, whose digests are as long as the shared secret.
    #[must_use]
    pub const fn hash(self) -> HashAlg {
        match self {
            Self::P256 | Self::X25519 => HashAlg::Sha256,
            Self::P384 => HashAlg::Sha384,
            Self::P521 => HashAlg::Sha512,
        }
    }

    /// "`suite_id = concat("KEM", I2OSP(kem_id, 2))`".
    const fn suite(self) -> [u8; 5] {
        let id = match self {
            Self::P256 => 0x10,
            Self::P384 => 0x11,
            Self::P521 => 0x12,
            Self::X25519 => 0x20,
        };
        [b'K', b'E', b'M', 0, id]
    }
}

/// Computes the shared secret from a Diffie-Hellman result and the two public keys ("`ExtractAndExpand(dh, kem_context)`").
///
/// # Errors
/// [`CryptoError::OutputTooLong`] cannot happen: every digest is shorter than HKDF may give.
pub fn dhkem_extract_and_expand<C: Crypto>(
    kem: Dhkem,
    dh: &[u8],
    ephemeral: &[u8],
    recipient: &[u8],
) -> Result<Digest, CryptoError> {
    let (alg, suite) = (kem.hash(), kem.suite());
    let key = C::hmac(alg, b"", &[b"HPKE-v1", &suite, b"eae_prk", dh]);
    let size = alg.digest_size();
    let length = u16::try_from(size).map_err(|_| CryptoError::OutputTooLong { actual: size })?.to_be_bytes();
    // HKDF-Expand of one digest is one HMAC: "T(1) = HMAC-Hash(PRK, T(0) | info | 0x01)".
    let info: [&[u8]; 7] = [&length, b"HPKE-v1", &suite, b"shared_secret", ephemeral, recipient, &[1]];
    Ok(C::hmac(alg, key.as_bytes(), &info))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RustCrypto;
    use hex_literal::hex;

    #[test]
    fn the_test_vector_of_x25519_is_reproduced() {
        // RFC 9180, "DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM", base setup: skEm, pkEm, pkRm, shared_secret.
        let private = hex!("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736");
        let ephemeral = hex!("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
        let recipient = hex!("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        assert_eq!(RustCrypto::x25519_public(&private), Ok(ephemeral));
        let dh = RustCrypto::x25519(&private, &recipient).unwrap();
        let secret = dhkem_extract_and_expand::<RustCrypto>(Dhkem::X25519, &dh[..], &ephemeral, &recipient).unwrap();
        let expected = hex!("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc");
        assert_eq!(secret.as_bytes(), expected);
    }

    #[test]
    fn the_test_vector_of_p256_is_reproduced() {
        // RFC 9180, "DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM", base setup.
        let private = hex!("4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb");
        let ephemeral = hex!(
            "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4"
        );
        let recipient = hex!(
            "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d128aafd68a2ce72ea0"
        );
        let private = crate::EccPrivate::new(EccCurve::P256, &private).unwrap();
        let point = crate::EccPoint::new(EccCurve::P256, &recipient[1..33], &recipient[33..]).unwrap();
        let dh = RustCrypto::ecc_multiply(&private, &point).unwrap();
        let secret = dhkem_extract_and_expand::<RustCrypto>(Dhkem::P256, dh.x(), &ephemeral, &recipient).unwrap();
        let expected = hex!("c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8");
        assert_eq!(secret.as_bytes(), expected);
    }
}
