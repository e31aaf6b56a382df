// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ccel`: event logs of confidential VMs, replayed to the runtime measurement registers, and canonical event logs.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_logs::cel::{Record, Records};
use evtpm_logs::tcg::{Event, Preimage};
use evtpm_logs::{EventLog, HashId};
use evtpm_verify::logs::{CryptoHashes, RuntimeRegisters};
use serde::Deserialize;

use super::tcg_eventlog::{bank_name, banks};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    events: Option<usize>,
    consumed: Option<usize>,
    size: Option<usize>,
    banks: Option<Vec<String>>,
}

/// `rtmrs.json`.
#[derive(Debug, Deserialize)]
struct Registers {
    rtmr: BTreeMap<u32, String>,
}

impl Registers {
    /// Compares the registers with what a log leads to.
    fn compare<'v>(&self, of: &str, value: impl Fn(u32) -> Option<&'v [u8]>, findings: &mut Findings) -> Result<()> {
        for (register, expected) in &self.rtmr {
            let actual = value(*register).map(hex).with_context(|| format!("RTMR {register}"))?;
            findings.equal(&format!("{of}RTMR {register}"), &expected.to_ascii_lowercase(), &actual);
        }
        Ok(())
    }
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    if let Some(text) = store.find("cel.base64.txt") {
        check_canonical(text, findings)?;
    }
    for (name, json) in store.files().filter(|(name, _)| name.contains("log") && name.ends_with(".json")) {
        check_runtime_events(name, json, store, findings)?;
    }
    let Some(bytes) = store.find("ccel.bin") else { return Ok(()) };
    check_log(bytes, &expect, store, findings)?;
    if let Some(table) = store.find("ccel-table.bin") {
        findings.accepted("ACPI table", check_table(table));
    }
    if let Some(unpadded) = store.find("eventlog-unpadded.bin") {
        let same = events(unpadded)?.iter().map(facts).eq(events(bytes)?.iter().map(facts));
        findings.holds("the log without padding is the same", same);
    }
    if store.find("expected-parse.json").is_some() {
        check_parse(&events(bytes)?, &store.json("expected-parse.json")?, findings)?;
    }
    Ok(())
}

/// One event of dstack's log in JSON, which has no more of a TD's log than registers and digests.
#[derive(Debug, Deserialize)]
struct RuntimeEvent {
    imr: u32,
    digest: String,
}

/// Replays a log in JSON to the registers beside it.
fn check_runtime_events(name: &str, json: &[u8], store: &Store, findings: &mut Findings) -> Result<()> {
    let events: Vec<RuntimeEvent> = serde_json::from_slice(json).with_context(|| name.to_owned())?;
    let recorded: Registers = store.json("rtmrs.json")?;
    let mut values: BTreeMap<u32, Vec<u8>> = (0..4).map(|register| (register, vec![0; 48])).collect();
    for event in &events {
        let value = values.get_mut(&event.imr).with_context(|| format!("{name}: register {}", event.imr))?;
        let digest = ::hex::decode(&event.digest).with_context(|| name.to_owned())?;
        *value = RustCrypto::hash(HashAlg::Sha384, &[value, &digest]).as_bytes().to_vec();
    }
    recorded.compare(&format!("{name}: "), |register| values.get(&register).map(Vec::as_slice), findings)
}

fn events(log: &[u8]) -> Result<Vec<Event<'_>>> {
    Ok(EventLog::parse(log)?.events().collect::<Result<_, _>>()?)
}

fn facts<'a>(event: &Event<'a>) -> (u32, u32, &'a [u8], Option<&'a [u8]>) {
    (event.pcr, event.kind.0, event.data, event.digests().iter().next().map(|(_, digest)| digest))
}

fn check_log(bytes: &[u8], expect: &Expect, store: &Store, findings: &mut Findings) -> Result<()> {
    let log = EventLog::parse(bytes)?;
    findings.equal_if("size", expect.size.as_ref(), &bytes.len());
    if let Some(expected) = &expect.banks {
        findings.equal("banks", &expected.iter().map(|name| bank_name(name)).collect(), &banks(&log));
    }
    let mut events = log.events();
    let read: Result<Vec<_>, _> = events.by_ref().collect();
    let Some(read) = findings.accepted("events", read) else { return Ok(()) };
    // The index counts the Spec ID event as well.
    let count = read.len() + usize::from(log.header().is_some());
    findings.equal_if("number of events", expect.events.as_ref(), &count);
    findings.equal_if("consumed", expect.consumed.as_ref(), &events.offset());

    if store.find("rtmrs.json").is_some() {
        let recorded: Registers = store.json("rtmrs.json")?;
        let replayed = RuntimeRegisters::replay(&log).map_err(|error| anyhow::anyhow!("{error}"));
        let Some(replayed) = findings.accepted("replay", replayed) else { return Ok(()) };
        recorded.compare("", |register| replayed.get(register), findings)?;
    }
    Ok(())
}

/// ACPI, "System Description Table Header", and TDX "CCEL": the signature, the length, and a sum of zero.
fn check_table(table: &[u8]) -> Result<()> {
    anyhow::ensure!(table.starts_with(b"CCEL"), "the signature is not CCEL");
    let length = table.get(4..8).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map(u32::from_le_bytes);
    anyhow::ensure!(length.is_some_and(|length| length as usize == table.len()), "the length is {length:?}");
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    anyhow::ensure!(sum == 0, "the checksum is off by {sum}");
    anyhow::ensure!(table.get(36) == Some(&2), "the table is not that of TDX");
    Ok(())
}

/// Reads a canonical event log, as text or as bytes; every content has to be the preimage of its digests.
fn check_canonical(text: &[u8], findings: &mut Findings) -> Result<()> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let log = STANDARD.decode(digits)?;
    let records: Result<Vec<Record<'_>>, _> = Records::new(&log).collect();
    let Some(records) = findings.accepted("canonical event log", records) else { return Ok(()) };
    findings.holds("records", !records.is_empty());
    findings.holds("record numbers rise", records.windows(2).all(|pair| matches!(pair, [a, b] if a.number < b.number)));
    findings.holds("contents are proven", records.iter().all(|record| record.is_proven(&CryptoHashes)));
    Ok(())
}

/// What the origin's own parser makes of the log; its wording of details is left alone.
#[derive(Debug, Deserialize)]
struct Parse {
    uefi_event_logs: Vec<ParsedEvent>,
}

#[derive(Debug, Deserialize)]
struct ParsedEvent {
    index: u32,
    type_name: String,
    digests: Vec<ParsedDigest>,
    event: String,
    digest_matches_event: bool,
    #[serde(default)]
    details: Details,
}

#[derive(Debug, Deserialize)]
struct ParsedDigest {
    alg: String,
    digest: String,
}

#[derive(Debug, Default, Deserialize)]
struct Details {
    unicode_name: Option<String>,
}

fn check_parse(events: &[Event<'_>], parse: &Parse, findings: &mut Findings) -> Result<()> {
    findings.equal("events of the origin's parser", &parse.uefi_event_logs.len(), &events.len());
    let mut differing = Vec::new();
    for (n, (event, expected)) in events.iter().zip(&parse.uefi_event_logs).enumerate() {
        let digests = expected.digests.iter().all(|digest| {
            let bank = HashId::from_name(&digest.alg.to_ascii_lowercase().replace("sha-", "sha"));
            bank.and_then(|bank| event.digests().find(bank)).is_some_and(|found| hex(found) == digest.digest)
        });
        let proven = event
            .digests()
            .iter()
            .all(|(bank, _)| matches!(event.preimage(bank, &CryptoHashes), Some(Preimage::EventData(_))));
        let named = match (&expected.details.unicode_name, event.decode()) {
            (Some(name), evtpm_logs::tcg::EventData::Variable(variable)) => variable.name == *name.as_str(),
            _ => true,
        };
        let same = event.pcr == expected.index
            && event.kind.to_string() == expected.type_name
            && STANDARD.decode(&expected.event)? == event.data
            && proven == expected.digest_matches_event;
        if !(same && digests && named) {
            differing.push(n);
        }
    }
    findings.equal("differences to the origin's parser", &Vec::new(), &differing);
    findings.not_checkable("the origin's wording of event details");
    Ok(())
}
