// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Keylime runtime policy, read once: which files the running system may have opened.

use std::collections::{BTreeMap, HashMap};

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_keylime::verifier::RuntimePolicy;
use evtpm_logs::Text;
use evtpm_logs::ima::Field;
use evtpm_verify::logs::{ImaFile, Keyring, SignatureState};
use regex::Regex;

use super::evidence::Failure;
use crate::hex::{hex, unhex};

/// The policy in the form in which it is asked.
#[derive(Debug)]
pub(crate) struct RuntimeRules {
    /// What identifies the policy in what is kept of a boot that it judged.
    pub(crate) id: String,
    /// Keys whose signature makes a file acceptable.
    pub(crate) keyring: Keyring,
    digests: HashMap<Box<str>, Vec<Box<[u8]>>>,
    excludes: Option<Regex>,
    keyrings: HashMap<String, Vec<Vec<u8>>>,
    ignored_keyrings: Vec<String>,
    buffers: HashMap<String, Vec<Vec<u8>>>,
}

impl RuntimeRules {
    /// Reads a policy document; `signers` are further keys, in the form that tenants send.
    pub(crate) fn read(document: &str, signers: Option<&str>) -> Result<Self, String> {
        let policy: RuntimePolicy =
            serde_json::from_str(document).map_err(|error| format!("runtime policy: {error}"))?;
        let mut keyring = Keyring::new();
        for keys in [policy.verification_keys.as_deref(), signers].into_iter().flatten() {
            add_signers(&mut keyring, keys)?;
        }
        let signed_by = signers.unwrap_or_default().as_bytes();
        let digest = RustCrypto::hash(HashAlg::Sha256, &[document.as_bytes(), &[0], signed_by]);
        let digests = policy.digests.into_iter().map(|(path, digests)| {
            let digests: Result<Vec<_>, String> =
                digests.iter().map(|digest| bytes(digest).map(Vec::into_boxed_slice)).collect();
            digests.map(|digests| (path.into_boxed_str(), digests))
        });
        Ok(RuntimeRules {
            id: format!("keylime:{}", hex(digest.as_bytes())),
            keyring,
            digests: digests.collect::<Result<_, String>>()?,
            excludes: exclusions(&policy.excludes)?,
            keyrings: table(&policy.keyrings)?,
            ignored_keyrings: policy.ima.ignored_keyrings,
            buffers: table(&policy.ima_buf)?,
        })
    }

    /// Judges what IMA measured; `is_proven` says that a `boot_aggregate` was recomputed from the quote.
    pub(crate) fn judge(&self, file: &ImaFile<'_>, is_proven: bool) -> Option<Failure> {
        let path = Text(file.path).to_string();
        let buffer = file.entry.fields().find(|(field, _)| *field == Field::Buffer).map(|(_, bytes)| bytes);
        if buffer.is_some() {
            return self.judge_buffer(&path, file);
        }
        if is_proven && file.entry.at.record == 0 && path == "boot_aggregate" {
            return None;
        }
        if matches!(file.signature, SignatureState::Valid { .. }) || self.is_excluded(&path) {
            return None;
        }
        let Some(known) = self.digests.get(path.as_str()) else {
            return Some(Failure::new(
                "ima.validation.ima-ng.not_in_allowlist",
                format!("File not found in allowlist: {path}"),
            ));
        };
        let is_known = file.digest.is_some_and(|digest| known.iter().any(|known| **known == *digest.bytes));
        let actual = file.digest.map_or_else(|| "none".to_owned(), |digest| hex(digest.bytes));
        (!is_known).then(|| {
            Failure::new(
                "ima.validation.ima-ng.runtime_policy_hash",
                format!("{path}: hash {actual} not in runtime policy"),
            )
        })
    }

    /// A key that was added to a keyring, or another buffer.
    fn judge_buffer(&self, name: &str, file: &ImaFile<'_>) -> Option<Failure> {
        let is_ignored = self.ignored_keyrings.iter().any(|ignored| ignored == "*" || ignored == name);
        let is_known = |table: &HashMap<String, Vec<Vec<u8>>>| {
            table
                .get(name)
                .zip(file.digest)
                .is_some_and(|(known, digest)| known.iter().any(|known| known == digest.bytes))
        };
        let passes = is_ignored || is_known(&self.keyrings) || is_known(&self.buffers) || self.is_excluded(name);
        (!passes).then(|| {
            Failure::new("ima.validation.ima-buf.not_in_allowlist", format!("Buffer {name} not in runtime policy"))
        })
    }

    fn is_excluded(&self, path: &str) -> bool {
        self.excludes.as_ref().is_some_and(|excludes| excludes.is_match(path))
    }
}

/// One expression for all, anchored where Python's `re.match` is: at the start.
fn exclusions(patterns: &[String]) -> Result<Option<Regex>, String> {
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).filter(|pattern| !pattern.is_empty()).collect();
    if patterns.is_empty() {
        return Ok(None);
    }
    let pattern = format!("^(?:(?:{}))", patterns.join(")|(?:"));
    Regex::new(&pattern).map(Some).map_err(|error| format!("runtime policy: excludes: {error}"))
}

fn table(texts: &BTreeMap<String, Vec<String>>) -> Result<HashMap<String, Vec<Vec<u8>>>, String> {
    let row = |(name, digests): (&String, &Vec<String>)| {
        let digests = digests.iter().map(|digest| bytes(digest)).collect::<Result<_, _>>();
        digests.map(|digests| (name.clone(), digests))
    };
    texts.iter().map(row).collect()
}

fn bytes(digest: &str) -> Result<Vec<u8>, String> {
    // A prefix like `sha256:` is decoration: the size tells the algorithm.
    let digits = digest.rsplit(':').next().unwrap_or(digest);
    unhex(digits).ok_or_else(|| format!("runtime policy: `{digest}` is no digest"))
}

/// `{"pubkeys": [SubjectPublicKeyInfo in base64], "keyids": […]}`; the ids follow from the keys.
fn add_signers(keyring: &mut Keyring, keys: &str) -> Result<(), String> {
    #[derive(serde::Deserialize)]
    struct Keys {
        #[serde(default)]
        pubkeys: Vec<evtpm_api::Bytes>,
    }
    if keys.trim().is_empty() {
        return Ok(());
    }
    let keys: Keys = serde_json::from_str(keys).map_err(|error| format!("verification keys: {error}"))?;
    keys.pubkeys
        .iter()
        .try_for_each(|key| keyring.add(key).map(drop).map_err(|error| format!("verification keys: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusion_matches_from_the_start_and_not_to_the_end() {
        let excludes = exclusions(&["/tmp/".into(), "/var/(log|cache)".into()]).unwrap().unwrap();
        assert!(excludes.is_match("/tmp/x") && excludes.is_match("/var/log/syslog"));
        assert!(!excludes.is_match("/home/tmp/x"));
        assert!(exclusions(&["(".into()]).unwrap_err().contains("excludes"));
        assert!(exclusions(&[]).unwrap().is_none());
    }

    #[test]
    fn a_policy_with_a_digest_that_is_none_is_refused_by_it() {
        let error = RuntimeRules::read(r#"{"digests":{"/bin/sh":["xyz"]}}"#, None).unwrap_err();
        assert!(error.contains("`xyz`"), "{error}");
    }

    #[test]
    fn two_policies_are_told_apart_by_content_and_keys() {
        let id = |document, keys| RuntimeRules::read(document, keys).unwrap().id;
        assert_ne!(id("{}", None), id(r#"{"release":1}"#, None));
        assert_ne!(id("{}", None), id("{}", Some(r#"{"pubkeys":[]}"#)));
    }
}
