// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's vectors: lists that its runtime policies pass or refuse, keyrings, and allow-lists with the lists they are of.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evtpm_logs::ima::{AsciiList, AsciiRecord, Entry};
use evtpm_verify::logs::{CryptoHashes, Keyring, SignatureState};
use serde::Deserialize;

use crate::evidence::findings::Findings;
use crate::evidence::index::Store;
use crate::output::hex;

/// `vectors.json` of the signature tests.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
struct Vectors {
    runtime_policy_test: Policy,
    runtime_policy_wrong: Policy,
    #[serde(rename = "EXCLUDES")]
    _excludes: Vec<String>,
    measurements: String,
    signatures: String,
    combined: String,
    bad_signatures: String,
    keyrings: String,
    runtime_policy_with_verification_keys: Policy,
    ima_keyring_string: String,
    ima_bad_keyring_string: String,
}

/// A runtime policy, as far as these checks look at it.
#[derive(Debug, Deserialize)]
struct Policy {
    digests: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    keyrings: BTreeMap<String, Vec<String>>,
    #[serde(rename = "verification-keys", default)]
    verification_keys: String,
}

/// A keyring: keys as DER in base64, each with its identifier.
#[derive(Debug, Deserialize)]
struct Keys {
    pubkeys: Vec<String>,
    keyids: Vec<u32>,
}

/// Device names that a device-mapper event may and may not have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceNames {
    valid_names: Vec<String>,
    invalid_names: Vec<String>,
    #[serde(rename = "regex")]
    _regex: String,
}

pub(super) fn check(store: &Store, findings: &mut Findings) -> Result<()> {
    let text = store.file("vectors.json")?;
    if let Ok(names) = serde_json::from_slice::<DeviceNames>(text) {
        return device_names(&names, findings);
    }
    let vectors: Vectors = serde_json::from_slice(text).context("vectors.json is of a form that is not checked")?;
    let none = Keyring::new();
    let all = |text: &str| allowed(text, &vectors.runtime_policy_test, &none);
    findings.accepted("measurements pass their policy", all(&vectors.measurements));
    findings.refused(
        "measurements by the wrong policy",
        allowed(&vectors.measurements, &vectors.runtime_policy_wrong, &none),
    );
    findings.accepted("keyring passes its policy", all(&vectors.keyrings));

    let keyring = findings.accepted("keyring", keyring(&vectors.ima_keyring_string));
    findings.refused("bad keyring", self::keyring(&vectors.ima_bad_keyring_string));
    let keys = &vectors.runtime_policy_with_verification_keys.verification_keys;
    findings.accepted("keyring in a policy", self::keyring(keys));
    let Some(keyring) = keyring else { return Ok(()) };
    let nothing = Policy { digests: BTreeMap::new(), keyrings: BTreeMap::new(), verification_keys: String::new() };
    findings.accepted("signatures by the keyring", allowed(&vectors.signatures, &nothing, &keyring));
    findings.refused("signatures without keyring", allowed(&vectors.signatures, &nothing, &none));
    findings.refused("bad signatures", allowed(&vectors.bad_signatures, &nothing, &keyring));
    findings.accepted("both together", allowed(&vectors.combined, &vectors.runtime_policy_test, &keyring));
    Ok(())
}

/// Checks that a policy or a keyring vouches for every entry of a list, whose template hashes have to be right.
fn allowed(text: &str, policy: &Policy, keyring: &Keyring) -> Result<()> {
    let records: Vec<AsciiRecord> = AsciiList::new(text.trim_end_matches('\n').as_bytes()).collect::<Result<_, _>>()?;
    for record in &records {
        let entry = record.entry()?;
        entry.check_template_hash(&CryptoHashes)?;
        if !vouched(&entry, policy, keyring) {
            anyhow::bail!("nothing vouches for {}", evtpm_logs::Text(entry.path()));
        }
    }
    Ok(())
}

fn vouched(entry: &Entry<'_>, policy: &Policy, keyring: &Keyring) -> bool {
    if matches!(keyring.check(entry), SignatureState::Valid { .. }) {
        return true;
    }
    let (Ok(path), Some(digest)) = (str::from_utf8(entry.path()), entry.digest()) else { return false };
    let digest = hex(digest.bytes);
    let list = if entry.buffer().is_some() { &policy.keyrings } else { &policy.digests };
    list.get(path).is_some_and(|allowed| allowed.contains(&digest))
}

fn keyring(text: &str) -> Result<Keyring> {
    let Keys { pubkeys, keyids } = serde_json::from_str(text)?;
    anyhow::ensure!(pubkeys.len() == keyids.len(), "{} keys with {} identifiers", pubkeys.len(), keyids.len());
    let mut keyring = Keyring::new();
    for (key, expected) in pubkeys.iter().zip(keyids) {
        let actual = keyring.add(&STANDARD.decode(key)?)?;
        anyhow::ensure!(actual == expected, "the key {actual:#x} is called {expected:#x}");
    }
    Ok(keyring)
}

fn device_names(names: &DeviceNames, findings: &mut Findings) -> Result<()> {
    for name in &names.valid_names {
        findings.accepted(&format!("device {name}"), evtpm_logs::ima::DeviceName::parse(name.as_bytes()));
    }
    for name in &names.invalid_names {
        findings.refused(&format!("device {name}"), evtpm_logs::ima::DeviceName::parse(name.as_bytes()));
    }
    Ok(())
}

/// `allowlist-ALG` is what `sha256sum` printed of the files that `ima-log-ALG` measured; `policy-ALG.json` is a policy.
pub(super) fn check_allow_lists(store: &Store, findings: &mut Findings) -> Result<()> {
    for (name, bytes) in store.files() {
        if let Some(algorithm) = name.strip_prefix("policy-").and_then(|rest| rest.strip_suffix(".json")) {
            let policy: Policy = serde_json::from_slice(bytes).with_context(|| name.to_owned())?;
            let hashes = policy.digests.values().flatten().all(|digest| ::hex::decode(digest).is_ok());
            findings.holds(&format!("policy of {algorithm}"), hashes && !policy.digests.is_empty());
        }
        let Some(algorithm) = name.strip_prefix("allowlist-") else { continue };
        let log = store.file(&format!("ima-log-{algorithm}"))?;
        let records: Vec<AsciiRecord> = AsciiList::new(log).collect::<Result<_, _>>()?;
        for line in str::from_utf8(bytes)?.lines() {
            let (digest, file) = line.split_once("  ").with_context(|| format!("{name}: {line:?}"))?;
            let measured = records.iter().filter_map(|record| record.entry().ok()).any(|entry| {
                entry.path().ends_with(file.as_bytes())
                    && entry.digest().is_some_and(|found| hex(found.bytes) == digest)
            });
            findings.holds(&format!("{name}: {file} was measured"), measured);
        }
    }
    Ok(())
}
