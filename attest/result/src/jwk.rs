// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys as JSON (RFC 7517; RFC 7518, 6.2, and RFC 8037, 2, for the members of each type).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::key::Public;
use crate::{Algorithm, Error, SigningKey, VerifyingKey};

/// A public key in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// The key type, `EC` or `OKP`.
    pub kty: String,
    /// The curve, `P-256`, `P-384` or `Ed25519`.
    pub crv: String,
    /// The x coordinate, or the key of Ed25519, in base64url.
    pub x: String,
    /// The y coordinate in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// The key's identifier: its thumbprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The algorithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

/// A private key in JSON: the public one, and `d`.
#[derive(Serialize, Deserialize)]
struct PrivateJwk {
    #[serde(flatten)]
    public: Jwk,
    d: Zeroizing<String>,
}

impl VerifyingKey {
    /// Returns the key's thumbprint (RFC 7638): SHA-256 over its required members in order.
    pub fn id(&self) -> String {
        let Jwk { crv, kty, x, y, .. } = self.members();
        let y = y.map(|y| format!(r#","y":"{y}""#)).unwrap_or_default();
        let canonical = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"{y}}}"#);
        URL_SAFE_NO_PAD.encode(RustCrypto::hash(HashAlg::Sha256, &[canonical.as_bytes()]).as_bytes())
    }

    /// Returns the key in JSON form.
    pub fn to_jwk(&self) -> Jwk {
        Jwk { kid: Some(self.id()), alg: Some(self.algorithm().name().into()), ..self.members() }
    }

    fn members(&self) -> Jwk {
        let (x, y) = match self.public() {
            Public::Ecc(point) => (URL_SAFE_NO_PAD.encode(point.x()), Some(URL_SAFE_NO_PAD.encode(point.y()))),
            Public::Ed25519(key) => (URL_SAFE_NO_PAD.encode(key), None),
        };
        let algorithm = self.algorithm();
        Jwk { kty: algorithm.key_type().into(), crv: algorithm.curve_name().into(), x, y, kid: None, alg: None }
    }

    /// Takes a key in JSON form; its point has to be on its curve.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, Error> {
        let algorithm = algorithm(jwk)?;
        let y = jwk.y.as_deref().map(decode).transpose()?.unwrap_or_default();
        Self::new(algorithm, &decode(&jwk.x)?, &y)
    }
}

impl SigningKey {
    /// Reads a private key in JSON form; a public key in it that is another's is refused.
    pub fn from_jwk(json: &[u8]) -> Result<Self, Error> {
        let jwk: PrivateJwk = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        let key = Self::new(algorithm(&jwk.public)?, &Zeroizing::new(decode(&jwk.d)?))?;
        if *key.verifying_key() != VerifyingKey::from_jwk(&jwk.public)? {
            return Err(malformed("the private key does not belong to the public one".into()));
        }
        Ok(key)
    }

    /// Writes the private key in JSON form.
    pub fn to_jwk(&self) -> Result<Zeroizing<String>, Error> {
        let d = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.private_bytes()));
        let jwk = PrivateJwk { public: self.verifying_key().to_jwk(), d };
        serde_json::to_string_pretty(&jwk).map(Zeroizing::new).map_err(|error| malformed(error.to_string()))
    }
}

/// The type, the curve and the algorithm, where it is named, have to go together.
fn algorithm(jwk: &Jwk) -> Result<Algorithm, Error> {
    let is_meant = |algorithm: &Algorithm| algorithm.curve_name() == jwk.crv && algorithm.key_type() == jwk.kty;
    let Some(algorithm) = Algorithm::ALL.into_iter().find(is_meant) else {
        return Err(malformed(format!("key type {} on curve {}", jwk.kty, jwk.crv)));
    };
    match &jwk.alg {
        Some(name) if !algorithm.is_called(name) => Err(malformed("the algorithm is not that of the curve".into())),
        _ => Ok(algorithm),
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| malformed(error.to_string()))
}

fn malformed(detail: String) -> Error {
    Error::Malformed { what: "JWK", detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_json_form() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::new(algorithm, &[7; 32]).unwrap();
            let jwk = key.verifying_key().to_jwk();
            assert_eq!(jwk.alg.as_deref(), Some(algorithm.name()));
            assert_eq!(VerifyingKey::from_jwk(&jwk).as_ref(), Ok(key.verifying_key()));
            let again = SigningKey::from_jwk(key.to_jwk().unwrap().as_bytes()).unwrap();
            assert_eq!(again.private_bytes(), key.private_bytes());
        }
    }

    #[test]
    fn the_thumbprint_is_the_one_of_rfc_7638() {
        // The public key of RFC 7517, A.1; its thumbprint was computed with other tools.
        let jwk = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;
        let key = VerifyingKey::from_jwk(&serde_json::from_str(jwk).unwrap()).unwrap();
        assert_eq!(key.id(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    }

    #[test]
    fn the_key_of_rfc_8037_has_its_thumbprint() {
        // RFC 8037, A.1 and A.3.
        let jwk = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(
            SigningKey::from_jwk(jwk).unwrap().verifying_key().id(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn a_key_that_contradicts_itself_is_refused() {
        let key = SigningKey::new(Algorithm::EdDsa, &[7; 32]).unwrap();
        let other = SigningKey::new(Algorithm::EdDsa, &[8; 32]).unwrap().verifying_key().to_jwk();
        let mixed = key.to_jwk().unwrap().replace(&key.verifying_key().to_jwk().x, &other.x);
        assert!(matches!(SigningKey::from_jwk(mixed.as_bytes()), Err(Error::Malformed { what: "JWK", .. })));
        let wrong = Jwk { alg: Some("ES256".into()), ..other.clone() };
        assert!(VerifyingKey::from_jwk(&wrong).is_err());
        assert!(VerifyingKey::from_jwk(&Jwk { kty: "EC".into(), ..other }).is_err());
    }
}
