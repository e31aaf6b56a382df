// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A signed token in either form, taken apart and not yet believed.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Algorithm, Error, VerifyingKey, cwt, jwt};

/// The longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 1024 * 1024;

/// The form of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON Web Token (RFC 7519) in the compact form of RFC 7515.
    Jwt,
    /// CBOR Web Token (RFC 8392) in COSE_Sign1 (RFC 9052).
    Cwt,
}

/// A token's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its form.
    pub format: Format,
    /// The algorithm that its header names.
    pub algorithm: String,
    /// The key that its header names.
    pub key_id: Option<String>,
    /// The claims, as they were encoded.
    pub payload: Vec<u8>,
    /// What was signed.
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Token {
    /// Takes a token apart: a JWT, or a CWT as bytes or in base64url; blanks around text do not count.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(Error::Malformed { what: "token", detail: format!("{} bytes", bytes.len()) });
        }
        // A COSE message begins with a tag or an array, and neither is a character of ASCII.
        if bytes.first().is_some_and(|byte| !byte.is_ascii()) {
            return cwt::parse(bytes);
        }
        // The parts of a JWT are parted by full stops, which base64url does not have.
        let text = bytes.trim_ascii();
        match URL_SAFE_NO_PAD.decode(text) {
            Ok(bytes) if !text.is_empty() => cwt::parse(&bytes),
            _ => jwt::parse(bytes),
        }
    }

    /// Returns the payload if `key` signed the token.
    pub fn verify(&self, key: &VerifyingKey) -> Result<&[u8], Error> {
        // The key decides the algorithm, never the token: RFC 8725, 3.1.
        if !key.algorithm().is_called(&self.algorithm) {
            return Err(Error::Algorithm { expected: key.algorithm().name(), actual: self.algorithm.clone() });
        }
        key.check(&self.message, &self.signature)?;
        Ok(&self.payload)
    }
}

/// Names an algorithm of COSE as JOSE does, or by its number.
pub(crate) fn cose_name(number: i64) -> String {
    Algorithm::from_number(number).map_or_else(|| number.to_string(), |algorithm| algorithm.name().to_owned())
}
