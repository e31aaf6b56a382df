// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys that sign and check results.

use core::fmt;

use evtpm_crypto::{Crypto, CryptoError, EccPoint, EccPrivate, EccSignature, EdDsa, Rng, RustCrypto, StreamingHash};
use zeroize::Zeroizing;

use crate::{Algorithm, Error};

/// A verifier's private key.
#[derive(Clone)]
pub struct SigningKey {
    private: Private,
    public: VerifyingKey,
}

#[derive(Clone)]
enum Private {
    Ecc(EccPrivate),
    Ed25519(Zeroizing<[u8; 32]>),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Takes a big-endian private scalar, or the 32 bytes that an Ed25519 key is made from.
    pub fn new(algorithm: Algorithm, private: &[u8]) -> Result<Self, Error> {
        match algorithm.ecdsa() {
            Some((curve, _)) => Self::of_ecc(algorithm, EccPrivate::new(curve, private).map_err(Error::Key)?),
            None => Self::of_ed25519(Zeroizing::new(exactly_32(private)?)),
        }
    }

    /// Makes a new key.
    pub fn generate(algorithm: Algorithm, rng: &mut dyn Rng) -> Result<Self, Error> {
        if let Some((curve, _)) = algorithm.ecdsa() {
            return Self::of_ecc(algorithm, EccPrivate::generate(curve, rng).map_err(Error::Key)?);
        }
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill(seed.as_mut()).map_err(|error| Error::Key(error.into()))?;
        Self::of_ed25519(seed)
    }

    fn of_ecc(algorithm: Algorithm, private: EccPrivate) -> Result<Self, Error> {
        let point = RustCrypto::ecc_public(&private).map_err(Error::Key)?;
        Ok(Self { private: Private::Ecc(private), public: VerifyingKey { algorithm, public: Public::Ecc(point) } })
    }

    fn of_ed25519(seed: Zeroizing<[u8; 32]>) -> Result<Self, Error> {
        let public = Public::Ed25519(RustCrypto::ed25519_public(&seed).map_err(Error::Key)?);
        Ok(Self { private: Private::Ed25519(seed), public: VerifyingKey { algorithm: Algorithm::EdDsa, public } })
    }

    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.public.algorithm
    }

    /// Returns the public key.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Returns the private scalar, or the bytes that an Ed25519 key is made from.
    pub(crate) fn private_bytes(&self) -> &[u8] {
        match &self.private {
            Private::Ecc(private) => private.as_bytes(),
            Private::Ed25519(seed) => seed.as_slice(),
        }
    }

    /// Signs a message. Of ECDSA that is r ‖ s, each as long as a coordinate (RFC 7518, 3.4; RFC 9053, 2.1).
    pub(crate) fn sign(&self, message: &[u8], rng: &mut dyn Rng) -> Result<Vec<u8>, Error> {
        match (&self.private, self.algorithm().ecdsa()) {
            (Private::Ecc(private), Some((_, hash))) => {
                let digest = RustCrypto::hash(hash, &[message]);
                let signature = RustCrypto::ecdsa_sign(private, digest.as_bytes(), rng).map_err(Error::Key)?;
                Ok([signature.r(), signature.s()].concat())
            }
            (Private::Ed25519(seed), None) => {
                let signature = RustCrypto::ed25519_sign(seed, EdDsa::Pure, &[message]).map_err(Error::Key)?;
                Ok(signature.to_vec())
            }
            _ => Err(Error::Signature),
        }
    }
}

/// A verifier's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    public: Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Public {
    Ecc(EccPoint),
    Ed25519([u8; 32]),
}

impl VerifyingKey {
    /// Takes the coordinates of a point, which has to be on the algorithm's curve; of Ed25519 only `x`, which is the key.
    pub fn new(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Self, Error> {
        let malformed = |detail: &str| Error::Malformed { what: "public key", detail: detail.into() };
        let Some((curve, _)) = algorithm.ecdsa() else {
            let public = exactly_32(x)?;
            if !RustCrypto::ed25519_on_curve(&public) {
                return Err(malformed("it is no point of the curve"));
            }
            return Ok(Self { algorithm, public: Public::Ed25519(public) });
        };
        // RFC 7518, 6.2.1.2: "The length of this octet string MUST be the full size of a coordinate".
        if let Some(actual) = [x.len(), y.len()].into_iter().find(|length| *length != curve.coordinate_size()) {
            return Err(Error::Key(CryptoError::Length { expected: curve.coordinate_size(), actual }));
        }
        let point = EccPoint::new(curve, x, y).map_err(Error::Key)?;
        if !RustCrypto::ecc_on_curve(&point) {
            return Err(malformed("the point is not on its curve"));
        }
        Ok(Self { algorithm, public: Public::Ecc(point) })
    }

    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) const fn public(&self) -> &Public {
        &self.public
    }

    /// Checks a signature over a message.
    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        match (&self.public, self.algorithm.ecdsa()) {
            (Public::Ecc(point), Some((curve, hash))) => {
                let size = curve.coordinate_size();
                let halves = signature.split_at_checked(size).filter(|(_, s)| s.len() == size);
                let (r, s) = halves.ok_or(Error::Signature)?;
                let signature = EccSignature::new(curve, r, s).map_err(|_| Error::Signature)?;
                let digest = RustCrypto::hash(hash, &[message]);
                RustCrypto::ecdsa_verify(point, digest.as_bytes(), &signature).map_err(|_| Error::Signature)
            }
            (Public::Ed25519(public), None) => {
                let signature = <&[u8; 64]>::try_from(signature).map_err(|_| Error::Signature)?;
                let (r, _) = signature.split_at(32);
                let mut challenge: <RustCrypto as Crypto>::Hasher = EdDsa::Pure.challenge(r, public);
                challenge.update(message);
                RustCrypto::ed25519_verify(public, &challenge.finish(), signature).map_err(|_| Error::Signature)
            }
            _ => Err(Error::Signature),
        }
    }
}

/// A key of Ed25519, private or public, is 32 bytes.
fn exactly_32(bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::Key(CryptoError::Length { expected: 32, actual: bytes.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_off_its_curve_is_refused() {
        for (algorithm, size) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48)] {
            assert!(matches!(
                VerifyingKey::new(algorithm, &vec![1; size], &vec![1; size]),
                Err(Error::Malformed { what: "public key", .. })
            ));
            let short = VerifyingKey::new(algorithm, &[1; 5], &vec![1; size]);
            assert_eq!(short, Err(Error::Key(CryptoError::Length { expected: size, actual: 5 })));
        }
        assert!(VerifyingKey::new(Algorithm::EdDsa, &[2; 32], &[]).is_err());
        let short = VerifyingKey::new(Algorithm::EdDsa, &[1; 31], &[]);
        assert_eq!(short, Err(Error::Key(CryptoError::Length { expected: 32, actual: 31 })));
    }

    #[test]
    fn a_private_key_is_not_shown() {
        for algorithm in Algorithm::ALL {
            let shown = format!("{:?}", SigningKey::new(algorithm, &[7; 32]).unwrap());
            assert!(!shown.contains("7, 7, 7") && !shown.contains("0707"), "{shown}");
        }
    }
}
