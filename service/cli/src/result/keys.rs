// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keys of results in files: JWK (RFC 7517), or PEM as `openssl genpkey` and `openssl pkey -pubout` write it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use der::asn1::{ObjectIdentifier, OctetStringRef};
use der::{Decode, Document, SecretDocument};
use evtpm_result::{Algorithm, Jwk, SigningKey, VerifyingKey};
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use sec1::EcPrivateKey;

use crate::file;

/// No key file is larger.
const LIMIT: u64 = 16 * 1024;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Reads a private key.
pub(crate) fn private(path: &Path) -> Result<SigningKey> {
    let bytes = zeroize::Zeroizing::new(file::read(path, LIMIT)?);
    parse_private(&bytes).with_context(|| format!("{}: no private key", path.display()))
}

/// Reads a public key.
pub(crate) fn public(path: &Path) -> Result<VerifyingKey> {
    parse_public(&file::read(path, LIMIT)?).with_context(|| format!("{}: no public key", path.display()))
}

fn parse_private(bytes: &[u8]) -> Result<SigningKey> {
    if !is_pem(bytes) {
        return Ok(SigningKey::from_jwk(bytes)?);
    }
    let (label, document) = SecretDocument::from_pem(str::from_utf8(bytes)?)?;
    ensure!(label == "PRIVATE KEY", "PEM of a {label}; `openssl pkcs8 -topk8 -nocrypt` makes a PRIVATE KEY of it");
    let key = PrivateKeyInfoRef::try_from(document.as_bytes())?;
    let inner = key.private_key.as_bytes();
    match algorithm(key.algorithm)? {
        Algorithm::EdDsa => Ok(SigningKey::new(Algorithm::EdDsa, <&OctetStringRef>::from_der(inner)?.as_bytes())?),
        algorithm => Ok(SigningKey::new(algorithm, EcPrivateKey::from_der(inner)?.private_key)?),
    }
}

fn parse_public(bytes: &[u8]) -> Result<VerifyingKey> {
    if !is_pem(bytes) {
        let jwk: Jwk = serde_json::from_slice(bytes)?;
        return Ok(VerifyingKey::from_jwk(&jwk)?);
    }
    let (label, document) = Document::from_pem(str::from_utf8(bytes)?)?;
    ensure!(label == "PUBLIC KEY", "PEM of a {label}");
    let key = SubjectPublicKeyInfoRef::from_der(document.as_bytes())?;
    let bits = key.subject_public_key.as_bytes().context("no whole number of bytes")?;
    match (algorithm(key.algorithm)?, bits) {
        (Algorithm::EdDsa, key) => Ok(VerifyingKey::new(Algorithm::EdDsa, key, &[])?),
        // SEC 1, 2.3.3: a point that is not compressed.
        (algorithm, [4, point @ ..]) => {
            let (x, y) = point.split_at(point.len() / 2);
            Ok(VerifyingKey::new(algorithm, x, y)?)
        }
        _ => bail!("the point is compressed"),
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----")
}

fn algorithm(identifier: AlgorithmIdentifierRef<'_>) -> Result<Algorithm> {
    match (identifier.oid, identifier.parameters_oid().ok()) {
        (ED25519, None) => Ok(Algorithm::EdDsa),
        (EC, Some(P256)) => Ok(Algorithm::Es256),
        (EC, Some(P384)) => Ok(Algorithm::Es384),
        (oid, _) => bail!("neither P-256, P-384 nor Ed25519, but {oid}"),
    }
}
