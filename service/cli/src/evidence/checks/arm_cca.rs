// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `arm-cca`: tokens of realms, with the platform's key.

use anyhow::{Context, Result};
use evtpm_evidence::cca::Token;
use evtpm_verify::cca::{check_binding, check_realm_signature, verify_platform, verify_realm};
use evtpm_verify::x509::PublicKey;
use serde::Deserialize;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};
use crate::keys;

#[derive(Debug, Deserialize)]
struct Expect {
    platform_signature: Option<String>,
    platform_alg: Option<i64>,
    realm_signature: Option<String>,
    realm_alg: Option<i64>,
    platform_challenge_binds_rak: Option<bool>,
    platform_profile: Option<String>,
    realm_profile: Option<String>,
    lifecycle: Option<String>,
    rem_sizes: Option<Vec<usize>>,
    sw_components: Option<usize>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let bytes = store.ending(".cbor").context("the item has no token")?;
    let verdicts = [&expect.platform_signature, &expect.realm_signature];
    let worst = verdicts.into_iter().flatten().find(|verdict| *verdict != "valid").map_or("valid", String::as_str);
    let Some(token) = findings.read("token", worst, Token::parse(bytes)) else { return Ok(()) };
    compare(&token, &expect, findings)?;
    let realm = expect.realm_signature.as_deref().unwrap_or("valid");
    findings.verdict("realm signature", realm, check_realm_signature(&token));
    let bound = check_binding(&token).is_ok();
    findings.equal_if("platform's challenge is the realm's key", expect.platform_challenge_binds_rak.as_ref(), &bound);

    let expected = expect.platform_signature.as_deref().unwrap_or("valid");
    let mut keys_found = 0;
    for (name, bytes) in store.files().filter(|(name, _)| name.ends_with(".pem") || name.ends_with(".json")) {
        let Some(key) = keys::find(bytes)? else { continue };
        keys_found += 1;
        check_key(&token, &key, name, if is_bad(name) { "INVALID" } else { expected }, bound, realm, findings);
    }
    if keys_found == 0 && expected.starts_with("cannot") {
        findings.not_checkable("the platform's signature: its key is not in the item");
    } else if keys_found == 0 {
        findings.fail("platform signature", "the item has no key".to_owned());
    }
    Ok(())
}

fn compare(token: &Token<'_>, expect: &Expect, findings: &mut Findings) -> Result<()> {
    let (platform, realm) = (&token.platform, &token.realm);
    findings.equal_if("platform algorithm", expect.platform_alg.as_ref(), &platform.envelope.algorithm()?);
    findings.equal_if("realm algorithm", expect.realm_alg.as_ref(), &realm.envelope.algorithm()?);
    findings.equal_if("platform profile", expect.platform_profile.as_ref(), &platform.profile.to_owned());
    if let Some(expected) = &expect.realm_profile {
        findings.equal("realm profile", expected.as_str(), realm.profile.unwrap_or_default());
    }
    findings.equal_if("life cycle", expect.lifecycle.as_ref(), &format!("{:#x}", platform.lifecycle));
    let sizes: Vec<usize> = realm.extensible_measurements.iter().map(|value| value.len()).collect();
    findings.equal_if("extensible measurements", expect.rem_sizes.as_ref(), &sizes);
    findings.equal_if("software components", expect.sw_components.as_ref(), &platform.software_components.len());
    Ok(())
}

fn check_key(
    token: &Token<'_>,
    key: &PublicKey,
    name: &str,
    expected: &str,
    bound: bool,
    realm: &str,
    findings: &mut Findings,
) {
    let platform =
        findings.verdict(&format!("platform signature by {name}"), expected, verify_platform(token, key, name));
    if let Some(platform) = platform {
        let expected = if bound { realm } else { "INVALID" };
        findings.verdict(&format!("realm below {name}"), expected, verify_realm(token, &platform));
    }
}
