// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Public keys beside a token: PEM, a certificate (whose key alone counts), a JWK, or Veraison's list of trust anchors with a JWK
//! inside.

use anyhow::{Context, Result, bail};
use evtpm_crypto::{EccCurve, EccPoint};
use evtpm_evidence::jwk::{Jwk, JwkKey};
use evtpm_verify::x509::{Certificate, PublicKey};
use serde::Deserialize;

/// One trust anchor of Veraison's.
#[derive(Deserialize)]
struct Anchor {
    pkey: Jwk,
}

/// Reads the key of a file; `None` if the file is something else, such as reference values.
pub(crate) fn find(bytes: &[u8]) -> Result<Option<PublicKey>> {
    if bytes.trim_ascii_start().starts_with(b"-----BEGIN CERTIFICATE-----") {
        return Certificate::all_from(bytes)?.first().map(Certificate::public_key).transpose().map_err(Into::into);
    }
    if bytes.trim_ascii_start().starts_with(b"-----") {
        return Ok(Some(PublicKey::from_spki(bytes)?));
    }
    if let Ok(anchors) = serde_json::from_slice::<Vec<Anchor>>(bytes) {
        return anchors.first().map(|anchor| public(&anchor.pkey)).transpose();
    }
    Jwk::parse(bytes).ok().map(|key| public(&key)).transpose()
}

/// Turns a JWK into a key of one of the kinds that are looked at.
pub(crate) fn public(key: &Jwk) -> Result<PublicKey> {
    match key.key()? {
        JwkKey::Rsa { modulus, exponent } => Ok(PublicKey::Rsa { modulus, exponent }),
        JwkKey::Ecc { curve, x, y } => {
            let curve = match curve.as_str() {
                "P-256" => EccCurve::P256,
                "P-384" => EccCurve::P384,
                "P-521" => EccCurve::P521,
                other => bail!("unknown curve {other}"),
            };
            let point = EccPoint::new(curve, &x, &y).ok().context("a coordinate is too long")?;
            Ok(PublicKey::Ecc(point))
        }
    }
}
