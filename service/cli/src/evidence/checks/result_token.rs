// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `result-token`: a detached EAT of NVIDIA's attestation service: an overall JWT that holds the digests of one JWT per device.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use serde::Deserialize;
use serde_json::Value;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {}

/// `["JWT", token]`, then the tokens of the submodules by name.
type Detached = ((String, String), BTreeMap<String, String>);

#[derive(Debug, Deserialize)]
struct Overall {
    submods: BTreeMap<String, (String, (String, String))>,
    eat_nonce: String,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let _: Expect = item.expect(findings)?;
    let ((kind, token), devices): Detached = store.json("detached_eat.json")?;
    findings.equal("kind of the token", "JWT", kind.as_str());
    let Some(overall) = findings.accepted("overall token", payload::<Overall>(&token)) else { return Ok(()) };
    findings.equal("devices", &overall.submods.keys().collect::<Vec<_>>(), &devices.keys().collect());

    let decoded: BTreeMap<String, Value> = store.json("decoded.json")?;
    for (name, token) in &devices {
        let Some((_, (algorithm, expected))) = overall.submods.get(name) else { continue };
        findings.equal(&format!("{name}: digest algorithm"), "SHA-256", algorithm.as_str());
        let digest = RustCrypto::hash(HashAlg::Sha256, &[token.as_bytes()]);
        findings.equal(&format!("{name}: digest"), expected, &hex(digest.as_bytes()));
        let Some(claims) = findings.accepted(name, payload::<Value>(token)) else { continue };
        let nonce = claims.get("eat_nonce").and_then(Value::as_str).unwrap_or_default();
        findings.equal(&format!("{name}: nonce"), overall.eat_nonce.as_str(), nonce);
        findings.holds(&format!("{name}: claims"), decoded.get(name) == Some(&claims));
    }
    findings.not_checkable("signatures: the service's keys are not in the item, and the tokens are expired");
    Ok(())
}

/// Decodes the claims of a compact JWS by ES384, whose signature stays unchecked.
fn payload<T: for<'a> Deserialize<'a>>(token: &str) -> Result<T> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else { anyhow::bail!("a JWS has three parts") };
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?).context("header")?;
    ensure!(header.alg == "ES384", "signed by {}", header.alg);
    ensure!(URL_SAFE_NO_PAD.decode(signature)?.len() == 96, "the signature has not 96 bytes");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?).context("claims")
}
