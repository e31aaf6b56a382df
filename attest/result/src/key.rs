// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys that sign and check results, and their JWK form (RFC 7517, RFC 7518, 6.2).

use core::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use evtpm_crypto::{Crypto, EccCurve, EccPoint, EccPrivate, EccSignature, HashAlg, Rng, RustCrypto};
use serde::{Deserialize, Serialize};

use crate::Error;

/// A signature algorithm of RFC 7518, 3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl Algorithm {
    /// Names the algorithm as token headers do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }

    /// Returns the curve.
    pub const fn curve(self) -> EccCurve {
        match self {
            Self::Es256 => EccCurve::P256,
            Self::Es384 => EccCurve::P384,
        }
    }

    const fn hash(self) -> HashAlg {
        match self {
            Self::Es256 => HashAlg::Sha256,
            Self::Es384 => HashAlg::Sha384,
        }
    }

    const fn curve_name(self) -> &'static str {
        match self {
            Self::Es256 => "P-256",
            Self::Es384 => "P-384",
        }
    }

    fn from_curve_name(name: &str) -> Option<Self> {
        [Self::Es256, Self::Es384].into_iter().find(|algorithm| algorithm.curve_name() == name)
    }
}

/// A verifier's private key.
#[derive(Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    private: EccPrivate,
    public: VerifyingKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Takes a big-endian private scalar.
    pub fn new(algorithm: Algorithm, scalar: &[u8]) -> Result<Self, Error> {
        Self::of(algorithm, EccPrivate::new(algorithm.curve(), scalar).map_err(Error::Key)?)
    }

    /// Makes a new key.
    pub fn generate(algorithm: Algorithm, rng: &mut dyn Rng) -> Result<Self, Error> {
        Self::of(algorithm, EccPrivate::generate(algorithm.curve(), rng).map_err(Error::Key)?)
    }

    fn of(algorithm: Algorithm, private: EccPrivate) -> Result<Self, Error> {
        let point = RustCrypto::ecc_public(&private).map_err(Error::Key)?;
        Ok(Self { algorithm, private, public: VerifyingKey { algorithm, point } })
    }

    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the public key.
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a message: r ‖ s, each as long as a coordinate (RFC 7518, 3.4).
    pub(crate) fn sign(&self, message: &[u8], rng: &mut dyn Rng) -> Result<Vec<u8>, Error> {
        let digest = RustCrypto::hash(self.algorithm.hash(), &[message]);
        let signature = RustCrypto::ecdsa_sign(&self.private, digest.as_bytes(), rng).map_err(Error::Key)?;
        Ok([signature.r(), signature.s()].concat())
    }
}

/// A verifier's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    point: EccPoint,
}

/// A public key in JSON (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// The key type, `EC`.
    pub kty: String,
    /// The curve, `P-256` or `P-384`.
    pub crv: String,
    /// The x coordinate in base64url.
    pub x: String,
    /// The y coordinate in base64url.
    pub y: String,
    /// The key's identifier: its thumbprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

impl VerifyingKey {
    /// Returns the algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the key's thumbprint (RFC 7638): SHA-256 over its required members in order.
    pub fn id(&self) -> String {
        let Jwk { crv, kty, x, y, .. } = self.members();
        let canonical = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(RustCrypto::hash(HashAlg::Sha256, &[canonical.as_bytes()]).as_bytes())
    }

    /// Returns the key in JSON form.
    pub fn to_jwk(&self) -> Jwk {
        Jwk { kid: Some(self.id()), alg: Some(self.algorithm.name().into()), ..self.members() }
    }

    fn members(&self) -> Jwk {
        Jwk {
            kty: "EC".into(),
            crv: self.algorithm.curve_name().into(),
            x: URL_SAFE_NO_PAD.encode(self.point.x()),
            y: URL_SAFE_NO_PAD.encode(self.point.y()),
            kid: None,
            alg: None,
        }
    }

    /// Takes a key in JSON form; its point has to be on its curve.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, Error> {
        let malformed = |detail: String| Error::Malformed { what: "JWK", detail };
        let algorithm = Algorithm::from_curve_name(&jwk.crv)
            .filter(|_| jwk.kty == "EC")
            .ok_or_else(|| malformed(format!("key type {} on curve {}", jwk.kty, jwk.crv)))?;
        if jwk.alg.as_ref().is_some_and(|name| name != algorithm.name()) {
            return Err(malformed("the algorithm is not that of the curve".into()));
        }
        let coordinate = |text: &String| {
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|error| malformed(error.to_string()))?;
            // RFC 7518, 6.2.1.2: "The length of this octet string MUST be the full size of a coordinate".
            if bytes.len() != algorithm.curve().coordinate_size() {
                return Err(malformed(format!("a coordinate of {} bytes", bytes.len())));
            }
            Ok(bytes)
        };
        let point = EccPoint::new(algorithm.curve(), &coordinate(&jwk.x)?, &coordinate(&jwk.y)?).map_err(Error::Key)?;
        if !RustCrypto::ecc_on_curve(&point) {
            return Err(malformed("the point is not on its curve".into()));
        }
        Ok(Self { algorithm, point })
    }

    /// Checks r ‖ s over a message.
    pub(crate) fn check(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let size = self.algorithm.curve().coordinate_size();
        let (r, s) = signature.split_at_checked(size).filter(|(_, s)| s.len() == size).ok_or(Error::Signature)?;
        let signature = EccSignature::new(self.algorithm.curve(), r, s).map_err(|_| Error::Signature)?;
        let digest = RustCrypto::hash(self.algorithm.hash(), &[message]);
        RustCrypto::ecdsa_verify(&self.point, digest.as_bytes(), &signature).map_err(|_| Error::Signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_survives_its_json_form() {
        for algorithm in [Algorithm::Es256, Algorithm::Es384] {
            let key = SigningKey::new(algorithm, &[7; 32]).unwrap();
            let jwk = key.verifying_key().to_jwk();
            assert_eq!(jwk.alg.as_deref(), Some(algorithm.name()));
            assert_eq!(VerifyingKey::from_jwk(&jwk).as_ref(), Ok(key.verifying_key()));
        }
    }

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_7638() {
        // The public key of RFC 7517, A.1; its thumbprint was computed with other tools.
        let jwk = Jwk {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".into(),
            y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".into(),
            kid: None,
            alg: None,
        };
        assert_eq!(VerifyingKey::from_jwk(&jwk).unwrap().id(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn a_point_off_its_curve_is_refused() {
        let mut jwk = SigningKey::new(Algorithm::Es256, &[7; 32]).unwrap().verifying_key().to_jwk();
        jwk.y = jwk.x.clone();
        assert!(matches!(VerifyingKey::from_jwk(&jwk), Err(Error::Malformed { what: "JWK", .. })));
    }

    #[test]
    fn a_private_key_is_not_shown() {
        let shown = format!("{:?}", SigningKey::new(Algorithm::Es256, &[7; 32]).unwrap());
        assert!(!shown.contains("0707"), "{shown}");
    }
}
