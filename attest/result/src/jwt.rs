// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compact JWS tokens (RFC 7515, "JWS Compact Serialization"): header, payload and signature in base64url.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use evtpm_crypto::Rng;
use serde::{Deserialize, Serialize};

use crate::token::{Format, Token};
use crate::{Error, SigningKey};

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    /// RFC 7515, 4.1.11: extensions that have to be understood; we understand none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<Vec<String>>,
}

/// Signs a payload.
pub(crate) fn sign(payload: &[u8], key: &SigningKey, rng: &mut dyn Rng) -> Result<String, Error> {
    let header = Header {
        alg: key.algorithm().name().to_owned(),
        typ: Some("JWT".to_owned()),
        kid: Some(key.verifying_key().id()),
        crit: None,
    };
    let header = serde_json::to_vec(&header).map_err(|error| malformed("header", error.to_string()))?;
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign(message.as_bytes(), rng)?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Takes a token apart.
pub(crate) fn parse(bytes: &[u8]) -> Result<Token, Error> {
    let text = str::from_utf8(bytes.trim_ascii()).map_err(|error| malformed("token", error.to_string()))?;
    let parts = text.rsplit_once('.').and_then(|(message, signature)| {
        let (header, payload) = message.split_once('.')?;
        Some((message, header, payload, signature))
    });
    let Some((message, header, payload, signature)) = parts else {
        return Err(malformed("token", "expected three parts".into()));
    };
    let decode = |what, part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| malformed(what, error.to_string()));

    let header: Header =
        serde_json::from_slice(&decode("header", header)?).map_err(|error| malformed("header", error.to_string()))?;
    if header.crit.is_some() {
        return Err(malformed("header", "critical extensions that are not understood".into()));
    }
    Ok(Token {
        format: Format::Jwt,
        algorithm: header.alg,
        key_id: header.kid,
        payload: decode("payload", payload)?,
        message: message.as_bytes().to_vec(),
        signature: decode("signature", signature)?,
    })
}

fn malformed(what: &'static str, detail: String) -> Error {
    Error::Malformed { what, detail }
}
