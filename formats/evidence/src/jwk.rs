// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Public keys as JSON (RFC 7517, RFC 7518, "Parameters for Elliptic Curve Keys" and "Parameters for RSA Keys").

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::Error;

/// A key, its numbers still as text.
#[derive(Clone, Debug, Deserialize)]
pub struct Jwk {
    /// The key's identifier.
    pub kid: Option<String>,
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// A key of one of the two kinds that are used here, its numbers big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwkKey {
    /// RSA.
    Rsa {
        /// The modulus.
        modulus: Vec<u8>,
        /// The public exponent.
        exponent: Vec<u8>,
    },
    /// A point of an elliptic curve.
    Ecc {
        /// The curve's name, "P-256".
        curve: String,
        /// The x coordinate.
        x: Vec<u8>,
        /// The y coordinate.
        y: Vec<u8>,
    },
}

impl Jwk {
    /// Decodes a key's JSON.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(json).map_err(|error| Error::Malformed { what: "JWK", detail: error.to_string() })
    }

    /// Decodes the key's numbers.
    pub fn key(&self) -> Result<JwkKey, Error> {
        match self.kty.as_str() {
            "RSA" => Ok(JwkKey::Rsa { modulus: number("n", &self.n)?, exponent: number("e", &self.e)? }),
            "EC" => Ok(JwkKey::Ecc {
                curve: self.crv.clone().ok_or(Error::Missing { what: "crv" })?,
                x: number("x", &self.x)?,
                y: number("y", &self.y)?,
            }),
            other => Err(Error::Malformed { what: "kty", detail: other.to_string() }),
        }
    }
}

fn number(what: &'static str, text: &Option<String>) -> Result<Vec<u8>, Error> {
    let text = text.as_ref().ok_or(Error::Missing { what })?;
    let text = text.trim_end_matches('=');
    URL_SAFE_NO_PAD.decode(text).map_err(|error| Error::Malformed { what, detail: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_its_numbers_is_refused() {
        let key = Jwk::parse(br#"{"kty":"EC","crv":"P-256","x":"AQ"}"#).unwrap();
        assert_eq!(key.key(), Err(Error::Missing { what: "y" }));
    }

    #[test]
    fn rsa_numbers_are_decoded() {
        let key = Jwk::parse(br#"{"kty":"RSA","n":"AQID","e":"AQAB"}"#).unwrap();
        assert_eq!(key.key(), Ok(JwkKey::Rsa { modulus: alloc::vec![1, 2, 3], exponent: alloc::vec![1, 0, 1] }));
    }
}
