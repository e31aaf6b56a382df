// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `arm-psa`: PSA attestation tokens with their keys.

use anyhow::{Context, Result};
use evtpm_evidence::psa::Token;
use evtpm_verify::psa::verify;
use serde::Deserialize;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};
use crate::keys;

#[derive(Debug, Deserialize)]
struct Expect {
    signature: Option<String>,
    alg: Option<i64>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let bytes = store.ending(".cbor").context("the item has no token")?;
    let expected = expect.signature.as_deref().unwrap_or(if is_bad(&item.id) { "INVALID" } else { "valid" });
    let Some(token) = findings.read("token", expected, Token::parse(bytes)) else { return Ok(()) };
    findings.equal_if("algorithm", expect.alg.as_ref(), &token.envelope.algorithm()?);
    let mut keys_found = 0;
    for (name, bytes) in store.files().filter(|(name, _)| name.ends_with(".pem") || name.ends_with(".json")) {
        let Some(key) = keys::find(bytes)? else { continue };
        keys_found += 1;
        let expected = if is_bad(name) { "INVALID" } else { expected };
        findings.verdict(&format!("signature by {name}"), expected, verify(&token, &key, name));
    }
    if keys_found == 0 && expected == "valid" {
        findings.fail("signature", "the item has no key".to_owned());
    } else if keys_found == 0 {
        findings.not_checkable("the signature: its key is not in the item");
    }
    Ok(())
}
