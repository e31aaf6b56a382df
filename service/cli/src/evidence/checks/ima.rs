// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ima`: measurement lists, their template hashes and replay, and Keylime's policies about them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use evtpm_logs::ima::{AsciiList, AsciiRecord, BinaryList, Entry, TemplateDigests, extend};
use evtpm_logs::{HashId, PcrBank, PcrIndex};
use evtpm_verify::logs::CryptoHashes;
use serde::Deserialize;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};
use crate::output::hex;

mod keylime;

/// What is expected of a whole list: in `expected.json` beside it, or in the index.
#[derive(Debug, Deserialize)]
struct Expected {
    entries: Option<usize>,
    template: Option<String>,
    log_hash: Option<String>,
    pcr: Option<u32>,
    violations: Option<usize>,
    /// `pcr10_sha1` and the like.
    #[serde(flatten)]
    registers: BTreeMap<String, serde_json::Value>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expected = item.whole_expectation()?;
    for (name, bytes) in store.files().filter(|(name, bytes)| is_list(name, bytes)) {
        check_list(name, bytes, &expect, store, findings)?;
    }
    if store.find("vectors.json").is_some() {
        keylime::check(store, findings)?;
    }
    keylime::check_allow_lists(store, findings)
}

/// Tells a measurement list by its name, or by its first entry.
fn is_list(name: &str, bytes: &[u8]) -> bool {
    let is_other = name.contains("allowlist")
        || [".json", ".pem", ".der", ".pub", ".key"].iter().any(|ending| name.ends_with(ending));
    let is_named = name.contains("measurements")
        || ["ima-log", "ima.", "ima_", "ima-"].iter().any(|start| name.starts_with(start));
    let has_entry = || match AsciiList::recognizes(bytes) {
        true => AsciiList::new(bytes).next().is_some_and(|record| record.is_ok()),
        false => {
            SIZES.iter().any(|size| BinaryList::with_hash_size(bytes, *size).next().is_some_and(|entry| entry.is_ok()))
        }
    };
    !is_other && (is_named || has_entry())
}

/// The sizes of template hashes: the kernel's list has those of SHA-1, or of another algorithm in a list of one bank.
const SIZES: [usize; 4] = [20, 32, 48, 64];

/// Tells whether a file is named for a hash algorithm that nobody knows ("ima-log-unknown"): it vouches for nothing.
fn is_of_no_algorithm(name: &str) -> bool {
    let stem = name.trim_end_matches(".json");
    let algorithm = ["ima-log-", "allowlist-", "policy-"].iter().find_map(|start| stem.strip_prefix(start));
    algorithm.is_some_and(|algorithm| HashId::from_name(&super::tcg_eventlog::bank_name(algorithm)).is_none())
}

/// Reads a binary list by the first size of template hashes that fits all of it.
fn binary(bytes: &[u8]) -> Result<Vec<Entry<'_>>, evtpm_logs::Error> {
    let read = |size| BinaryList::with_hash_size(bytes, size).collect::<Result<Vec<_>, _>>();
    SIZES.into_iter().find_map(|size| read(size).ok()).map_or_else(|| read(20), Ok)
}

/// Reads a list and recomputes every template hash; an all-zero one is a violation or a placeholder.
fn check_list(name: &str, bytes: &[u8], expect: &Expected, store: &Store, findings: &mut Findings) -> Result<()> {
    let expected = if is_bad(name) || is_of_no_algorithm(name) { "INVALID" } else { "valid" };
    let records: Result<Vec<AsciiRecord>, _> = match AsciiList::recognizes(bytes) {
        true => AsciiList::new(bytes).collect(),
        false => Ok(Vec::new()),
    };
    let Some(records) = findings.read(name, expected, records) else { return Ok(()) };
    let entries: Result<Vec<Entry<'_>>, _> = match AsciiList::recognizes(bytes) {
        true => records.iter().map(AsciiRecord::entry).collect(),
        false => binary(bytes),
    };
    let Some(entries) = findings.read(&format!("entries of {name}"), expected, entries) else { return Ok(()) };
    let wrong = entries.iter().find(|entry| entry.check_template_hash(&CryptoHashes).is_err());
    match wrong {
        Some(entry) if expected != "valid" => findings.pass(&format!("{name} (entry {} is refused)", entry.at.record)),
        Some(entry) => findings.fail(name, format!("the template hash of entry {} is wrong", entry.at.record)),
        None if expected != "valid" => findings.not_checkable(&format!("{name}: the list alone shows nothing bad")),
        None => findings.pass(&format!("template hashes of {name}")),
    }
    compare(&entries, expect, findings)?;
    if store.find("expected.json").is_some() {
        compare(&entries, &store.json("expected.json")?, findings)?;
    }
    Ok(())
}

fn compare(entries: &[Entry<'_>], expected: &Expected, findings: &mut Findings) -> Result<()> {
    findings.equal_if("number of entries", expected.entries.as_ref(), &entries.len());
    if let Some(template) = &expected.template {
        findings.holds("template", entries.iter().all(|entry| entry.template_name == template.as_bytes()));
    }
    if let Some(algorithm) = &expected.log_hash {
        let uses = |entry: &Entry<'_>| entry.digest().is_none_or(|digest| digest.algorithm == algorithm.as_str());
        findings.holds("digest algorithm", entries.iter().all(uses));
    }
    if let Some(pcr) = expected.pcr {
        findings.holds("register", entries.iter().all(|entry| u32::from(entry.pcr.value()) == pcr));
    }
    let violations = entries.iter().filter(|entry| entry.is_violation()).count();
    findings.equal_if("violations", expected.violations.as_ref(), &violations);
    for (name, value) in expected.registers.iter().filter(|(name, _)| *name != "notes") {
        let register = name.strip_prefix("pcr").and_then(|rest| rest.split_once('_'));
        let (Some((register, bank)), Some(value)) = (register, value.as_str()) else {
            findings.not_checked(name);
            continue;
        };
        let pcr = register.parse().ok().and_then(PcrIndex::new).with_context(|| format!("register {register}"))?;
        let bank =
            HashId::from_name(&super::tcg_eventlog::bank_name(bank)).with_context(|| format!("unknown bank {bank}"))?;
        findings.equal(name, &value.to_ascii_lowercase(), &replay(entries, bank, pcr)?);
    }
    Ok(())
}

fn replay(entries: &[Entry<'_>], bank: HashId, pcr: PcrIndex) -> Result<String> {
    let mut bank = PcrBank::at_startup(bank)?;
    for entry in entries {
        extend(&mut bank, entry, TemplateDigests::OfBank, &CryptoHashes)?;
    }
    Ok(hex(bank.value(pcr).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_told_by_its_name_or_its_first_entry() {
        let line = format!("10 {0} ima-ng sha1:{0} /init", "22".repeat(20));
        let list = AsciiList::to_binary(line.as_bytes()).unwrap();
        for bytes in [line.as_bytes(), &list] {
            assert!(is_list("test.log", bytes) && !is_list("allowlist", bytes) && !is_list("list.json", bytes));
        }
        assert!(is_list("ima-log-sha1", b"words") && !is_list("test.log", b"words") && !is_list("test.log", b"10 x"));
    }

    #[test]
    fn a_file_of_an_algorithm_that_nobody_knows_is_told_by_its_name() {
        assert!(is_of_no_algorithm("ima-log-unknown") && is_of_no_algorithm("policy-unknown.json"));
        assert!(!is_of_no_algorithm("ima-log-sm3_256") && !is_of_no_algorithm("policy-sha256.json"));
        assert!(!is_of_no_algorithm("ascii_runtime_measurements"));
    }
}
