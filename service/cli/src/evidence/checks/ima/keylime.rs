// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's vectors: lists that its runtime policies pass or refuse, keyrings, and allow-lists with the lists they are of.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evtpm_logs::ima::{AsciiList, AsciiRecord, Entry};
use evtpm_verify::logs::{CryptoHashes, Keyring, SignatureState};
use serde::Deserialize;
use serde_json::Value;

use super::is_of_no_algorithm;
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

/// `vectors.json` of the parser's tests: lines that are entries, and lines that are none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lines {
    #[serde(alias = "VALID_ENTRIES", alias = "valid_entries", default)]
    valid: Value,
    #[serde(alias = "INVALID_ENTRIES", alias = "invalid_entries", default)]
    invalid: Value,
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
    if let Ok(lines) = serde_json::from_slice::<Lines>(text) {
        return check_lines(&lines, findings);
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

/// Every good line is an entry whose template hash is right, and no bad one is.
fn check_lines(lines: &Lines, findings: &mut Findings) -> Result<()> {
    let (valid, invalid) = (texts(&lines.valid), texts(&lines.invalid));
    ensure!(!valid.is_empty() || !invalid.is_empty(), "vectors.json has no lines");
    for line in valid {
        findings.accepted("line", entry_of(line));
    }
    for line in invalid {
        findings.refused("bad line", entry_of(line));
    }
    Ok(())
}

/// The lines in a list or an object, whatever stands beside them: a word alone is the name of a template.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) if text.contains(' ') => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn entry_of(line: &str) -> Result<()> {
    let mut records = AsciiList::new(line.as_bytes());
    let (Some(record), None) = (records.next(), records.next()) else { bail!("not one line") };
    record?.entry()?.check_template_hash(&CryptoHashes)?;
    Ok(())
}

/// Checks that a policy or a keyring vouches for every entry of a list, whose template hashes have to be right.
fn allowed(text: &str, policy: &Policy, keyring: &Keyring) -> Result<()> {
    let records: Vec<AsciiRecord> = AsciiList::new(text.trim_end_matches('\n').as_bytes()).collect::<Result<_, _>>()?;
    for record in &records {
        let entry = record.entry()?;
        entry.check_template_hash(&CryptoHashes)?;
        if !vouched(&entry, policy, keyring) {
            bail!("nothing vouches for {}", evtpm_logs::Text(entry.path()));
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
    ensure!(pubkeys.len() == keyids.len(), "{} keys with {} identifiers", pubkeys.len(), keyids.len());
    let mut keyring = Keyring::new();
    for (key, expected) in pubkeys.iter().zip(keyids) {
        let actual = keyring.add(&STANDARD.decode(key)?)?;
        ensure!(actual == expected, "the key {actual:#x} is called {expected:#x}");
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

/// `allowlist-ALG` is what `sha256sum` and the like printed of files that `ima-log-ALG` measured; `policy-ALG.json` is a policy.
///
/// An allow-list of which the log has no digest is of other files, and says nothing about the log.
pub(super) fn check_allow_lists(store: &Store, findings: &mut Findings) -> Result<()> {
    for (name, bytes) in store.files() {
        let policy = name.strip_prefix("policy-").and_then(|rest| rest.strip_suffix(".json"));
        let Some(algorithm) = policy.or_else(|| name.strip_prefix("allowlist-")) else { continue };
        if is_of_no_algorithm(name) {
            findings.not_checkable(&format!("{name}: no hash algorithm is called {algorithm:?}"));
        } else if policy.is_some() {
            let policy: Policy = serde_json::from_slice(bytes).with_context(|| name.to_owned())?;
            let hashes = policy.digests.values().flatten().all(|digest| ::hex::decode(digest).is_ok());
            findings.holds(&format!("policy of {algorithm}"), hashes && !policy.digests.is_empty());
        } else {
            check_allow_list(name, bytes, store.file(&format!("ima-log-{algorithm}"))?, findings)?;
        }
    }
    Ok(())
}

fn check_allow_list(name: &str, list: &[u8], log: &[u8], findings: &mut Findings) -> Result<()> {
    let records: Vec<AsciiRecord> = AsciiList::new(log).collect::<Result<_, _>>()?;
    let entries: Vec<Entry<'_>> = records.iter().filter_map(|record| record.entry().ok()).collect();
    let mut measured = Vec::new();
    for line in str::from_utf8(list)?.lines() {
        let (digest, file) = line.split_once(' ').with_context(|| format!("{name}: {line:?}"))?;
        let file = file.trim_start();
        let is_measured = |entry: &Entry<'_>| {
            entry.path().ends_with(file.as_bytes()) && entry.digest().is_some_and(|found| hex(found.bytes) == digest)
        };
        measured.push((file, entries.iter().any(is_measured)));
    }
    if measured.iter().all(|(_, found)| !found) {
        findings.not_checkable(&format!("{name}: none of its digests is in the log"));
        return Ok(());
    }
    for (file, found) in measured {
        findings.holds(&format!("{name}: {file} was measured"), found);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with the template hash that the kernel would print.
    fn line(template_hash: &str) -> String {
        format!("10 {template_hash} ima-ng sm3:{} /bin/sh", "22".repeat(32))
    }

    #[test]
    fn a_line_is_an_entry_if_its_template_hash_is_right() {
        let good = line("d440627d3fc9dd6216c4213d3296b926a1b330d65be1885b5faf3b402a60ff7f");
        assert!(entry_of(&good).is_ok());
        assert!(entry_of(&good.replace("d440", "d441")).is_err());
        assert!(entry_of(&good.replace("ima-ng", "not-ima")).is_err());
        assert!(entry_of("this is text").is_err() && entry_of("").is_err());
    }

    #[test]
    fn lines_are_found_in_lists_and_objects() {
        let lines: Lines =
            serde_json::from_str(r#"{"VALID_ENTRIES":{"a":["ima","10 a"],"b":"10 b"},"INVALID_ENTRIES":["x y"]}"#)
                .unwrap();
        assert_eq!((texts(&lines.valid), texts(&lines.invalid)), (vec!["10 a", "10 b"], vec!["x y"]));
    }

    #[test]
    fn an_allow_list_says_something_only_about_the_files_of_its_log() {
        let log = line("d440627d3fc9dd6216c4213d3296b926a1b330d65be1885b5faf3b402a60ff7f");
        let digest = "22".repeat(32);
        let count = |list: &str| {
            let mut findings = Findings::default();
            check_allow_list("allowlist-sm3", list.as_bytes(), log.as_bytes(), &mut findings).unwrap();
            (findings.checked.len(), findings.failures.len(), findings.not_checkable.len())
        };
        assert_eq!(count(&format!("{digest}  sh")), (1, 0, 0));
        assert_eq!(count(&format!("{digest} sh\n{digest} bash")), (1, 1, 0));
        assert_eq!(count(&format!("{} sh", "33".repeat(32))), (0, 0, 1));
    }
}
