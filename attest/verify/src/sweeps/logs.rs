// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Logs: a changed one has to miss its registers, or to prove less than before; never anything else.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine as _;
use evtpm_logs::ima::{AsciiList, AsciiRecord, BinaryList, TemplateDigests, extend};
use evtpm_logs::tcg::{Event, Preimage};
use evtpm_logs::{EventLog, HashId, PcrBank, PcrIndex};

use super::{Item, Subject, place};
use crate::logs::{CryptoHashes, Keyring, SignatureState};

/// The registers that a log leads to, by bank.
type Registers = Vec<(HashId, Vec<(PcrIndex, String)>)>;

/// A firmware's log, with the registers of every bank.
pub(super) fn firmware(item: &Item) -> Vec<Subject> {
    let Some(recorded) = item.json("pcrs.json") else { return Vec::new() };
    let banks: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_value(recorded["banks"].clone()).unwrap();
    let bank = |(name, values): (String, BTreeMap<String, String>)| {
        let register = |(index, value): (String, String)| (PcrIndex::new(index.parse().unwrap()).unwrap(), value);
        (HashId::from_name(&name).unwrap(), values.into_iter().map(register).collect())
    };
    vec![event_log(
        item.part("eventlog.bin"),
        item.file("eventlog.bin").unwrap(),
        banks.into_iter().map(bank).collect(),
    )]
}

/// A log of a TD, with its runtime registers: register n is the log's n + 1.
pub(super) fn confidential(item: &Item) -> Vec<Subject> {
    let Some(recorded) = item.json("rtmrs.json") else { return Vec::new() };
    let values: BTreeMap<String, String> = serde_json::from_value(recorded["rtmr"].clone()).unwrap();
    let register =
        |(index, value): (String, String)| (PcrIndex::new(index.parse::<u32>().unwrap() + 1).unwrap(), value);
    let registers = vec![(HashId::SHA384, values.into_iter().map(register).collect())];
    vec![event_log(item.part("ccel.bin"), item.file("ccel.bin").unwrap(), registers)]
}

/// What is hashed: the digests of the registers' events, and the data that a digest covers.
fn event_log(name: String, bytes: &[u8], registers: Registers) -> Subject {
    let known = facts(bytes, &registers).unwrap_or_else(|| panic!("{name}: does not replay"));
    let mut parts = Vec::new();
    for event in events(bytes, &registers).unwrap() {
        let digests = registers.iter().filter_map(|(bank, _)| event.digests().find(*bank));
        parts.extend(digests.map(|digest| place(bytes, digest)));
        parts.extend(event.preimage(registers[0].0, &CryptoHashes).and_then(covered).map(|part| place(bytes, part)));
    }
    let believes = move |bytes: &[u8]| facts(bytes, &registers).is_some_and(|facts| facts == known);
    Subject::new(name, bytes.to_vec(), believes).in_parts(parts)
}

/// The events that extended the registers.
fn events<'a>(bytes: &'a [u8], registers: &Registers) -> Option<Vec<Event<'a>>> {
    let events = EventLog::parse(bytes).ok()?.events().collect::<Result<Vec<_>, _>>().ok()?;
    let counts = |event: &Event<'_>| {
        event.is_extended() && registers[0].1.iter().any(|(pcr, _)| Some(*pcr) == event.pcr_index())
    };
    Some(events.into_iter().filter(counts).collect())
}

/// What a log proves, if it leads to the registers.
fn facts(bytes: &[u8], registers: &Registers) -> Option<Vec<(u32, Option<Vec<u8>>)>> {
    let log = EventLog::parse(bytes).ok()?;
    for (bank, expected) in registers {
        let replayed = log.replay(&[*bank], &CryptoHashes).ok()?.pop()?;
        if !expected.iter().all(|(pcr, value)| replayed.value(*pcr).to_string() == *value) {
            return None;
        }
    }
    let fact = |event: &Event<'_>| {
        let preimage = event.preimage(registers[0].0, &CryptoHashes);
        (event.pcr, preimage.map(|preimage| covered(preimage).unwrap_or_default().to_vec()))
    };
    Some(events(bytes, registers)?.iter().map(fact).collect())
}

/// The bytes of an event's data that its digest covers.
fn covered(preimage: Preimage<'_>) -> Option<&[u8]> {
    match preimage {
        Preimage::EventData(data) | Preimage::VariableContent(data) | Preimage::GrubText(data) => Some(data),
        Preimage::SectionName(_) | Preimage::ErrorSeparator => None,
    }
}

pub(super) fn ima(item: &Item) -> Vec<Subject> {
    if let Some(text) = item.file("ascii_runtime_measurements") {
        let expected = item.json("expected.json").unwrap()["pcr10_sha1"].as_str().unwrap().to_owned();
        let list = AsciiList::to_binary(text).unwrap();
        return vec![Subject::new(item.part("list"), list, move |bytes| {
            replayed(bytes).is_some_and(|value| value == expected)
        })];
    }
    if let Some(vectors) = item.json("vectors.json") {
        return vectors["SIGNATURES"].as_str().map(|lines| signatures(item, lines, &vectors)).unwrap_or_default();
    }
    let lists = item.files.iter().filter(|(name, _)| name.starts_with("ima-log-"));
    lists
        .flat_map(|(name, text)| AsciiList::new(text).map(move |record| (name, record.unwrap())))
        .enumerate()
        .filter_map(|(n, (name, record))| hashed(item.part(&format!("{name} {n}")), &record))
        .collect()
}

/// Register 10 after a list whose hashes are those of its entries.
fn replayed(list: &[u8]) -> Option<String> {
    let mut bank = PcrBank::at_startup(HashId::SHA1).unwrap();
    for entry in BinaryList::new(list) {
        let entry = entry.ok()?;
        entry.check_template_hash(&CryptoHashes).ok()?;
        extend(&mut bank, &entry, TemplateDigests::OfBank, &CryptoHashes).ok()?;
    }
    Some(bank.value(PcrIndex::new(10).unwrap()).to_string())
}

/// An entry of a list without a register: its own hash covers its fields. All zeros stand where the origin has no hash.
fn hashed(name: String, record: &AsciiRecord) -> Option<Subject> {
    let (bytes, size) = (record.as_binary(), record.entry().unwrap().template_hash.len());
    let parts = fields(bytes, size).filter(|_| !record.entry().unwrap().is_violation())?;
    let believes = move |bytes: &[u8]| {
        BinaryList::with_hash_size(bytes, size).all(|entry| {
            entry.is_ok_and(|entry| !entry.is_violation() && entry.check_template_hash(&CryptoHashes).is_ok())
        })
    };
    Some(Subject::new(name, bytes.to_vec(), believes).in_parts(parts))
}

/// Where an entry's hash and its fields are.
fn fields(bytes: &[u8], hash_size: usize) -> Option<Vec<Range<usize>>> {
    let entry = BinaryList::with_hash_size(bytes, hash_size).next()?.ok()?;
    let fields = entry.fields().map(|(_, value)| place(bytes, value));
    Some(fields.chain([place(bytes, entry.template_hash)]).collect())
}

/// Entries with signatures, by the keys of the item: path, digest and signature are in the entry's hash, and the signature is
/// over the digest.
fn signatures(item: &Item, lines: &str, vectors: &serde_json::Value) -> Vec<Subject> {
    let ring: serde_json::Value = serde_json::from_str(vectors["IMA_KEYRING_STRING"].as_str().unwrap()).unwrap();
    let mut keyring = Keyring::new();
    for key in ring["pubkeys"].as_array().unwrap() {
        keyring.add(&base64::engine::general_purpose::STANDARD.decode(key.as_str().unwrap()).unwrap()).unwrap();
    }
    let subject = |(n, record): (usize, AsciiRecord)| {
        let keyring = keyring.clone();
        let parts = fields(record.as_binary(), record.entry().unwrap().template_hash.len()).unwrap();
        let believes = move |bytes: &[u8]| {
            BinaryList::new(bytes).next().is_some_and(|entry| {
                entry.is_ok_and(|entry| {
                    entry.check_template_hash(&CryptoHashes).is_ok()
                        && matches!(keyring.check(&entry), SignatureState::Valid { .. })
                })
            })
        };
        Subject::new(item.part(&format!("signature {n}")), record.as_binary().to_vec(), believes).in_parts(parts)
    };
    AsciiList::new(lines.as_bytes()).map(Result::unwrap).enumerate().map(subject).collect()
}
