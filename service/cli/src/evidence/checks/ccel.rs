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
pub(super) struct Registers {
    rtmr: BTreeMap<u32, String>,
}

impl Registers {
    /// Takes the registers from a TD's quote.
    pub(super) fn quoted(rtmrs: &[[u8; 48]; 4]) -> Self {
        Self { rtmr: (0..).zip(rtmrs.iter().map(|rtmr| hex(rtmr))).collect() }
    }

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
    let bytes = store.find("ccel.bin");
    for (name, json) in runtime_logs(store) {
        let log = RuntimeLog::read(json).with_context(|| name.to_owned())?;
        let recorded: Registers = store.json("rtmrs.json")?;
        log.compare(name, &recorded, findings)?;
        if bytes.is_none() {
            findings.equal_if("number of events", expect.events.as_ref(), &log.events.len());
            findings.equal_if("size", expect.size.as_ref(), &json.len());
        }
    }
    let Some(bytes) = bytes else { return Ok(()) };
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

/// dstack's logs in JSON: files that are called logs.
pub(super) fn runtime_logs(store: &Store) -> impl Iterator<Item = (&str, &[u8])> {
    store.files().filter(|(name, _)| name.contains("log") && name.ends_with(".json"))
}

/// dstack's log in JSON, which has no more of a TD's log than registers and digests.
#[derive(Debug)]
pub(super) struct RuntimeLog {
    events: Vec<RuntimeEvent>,
}

#[derive(Debug, Deserialize)]
struct RuntimeEvent {
    imr: u32,
    digest: String,
    #[serde(default)]
    event_type: u32,
    #[serde(default)]
    event: String,
    #[serde(default)]
    event_payload: String,
}

impl RuntimeEvent {
    /// The type of the events that dstack itself logs.
    const DSTACK: u32 = 0x0800_0001;

    /// The digest, which dstack leaves out of its own events: it covers type, name and payload.
    fn digest(&self) -> Result<Vec<u8>> {
        if !self.digest.is_empty() || self.event_type != Self::DSTACK {
            return ::hex::decode(&self.digest).context("digest");
        }
        let payload = ::hex::decode(&self.event_payload).context("payload")?;
        let parts = [&self.event_type.to_le_bytes(), b":".as_slice(), self.event.as_bytes(), b":", &payload];
        Ok(RustCrypto::hash(HashAlg::Sha384, &parts).as_bytes().to_vec())
    }
}

impl RuntimeLog {
    pub(super) fn read(json: &[u8]) -> Result<Self> {
        Ok(Self { events: serde_json::from_slice(json)? })
    }

    /// Replays the log, and compares the registers with what it leads to.
    pub(super) fn compare(&self, name: &str, recorded: &Registers, findings: &mut Findings) -> Result<()> {
        let mut values = [[0_u8; 48]; 4].map(|zeros| zeros.to_vec());
        for event in &self.events {
            let value = values.get_mut(event.imr as usize).with_context(|| format!("register {}", event.imr))?;
            let digest = event.digest()?;
            *value = RustCrypto::hash(HashAlg::Sha384, &[value, &digest]).as_bytes().to_vec();
        }
        recorded.compare(&format!("{name}: "), |register| values.get(register as usize).map(Vec::as_slice), findings)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_that_dstack_leaves_out_covers_name_and_payload() {
        let event = |digest: &str, name: &str| {
            let text = format!(
                r#"{{"imr":3,"event_type":134217729,"digest":"{digest}","event":"{name}","event_payload":"01"}}"#
            );
            serde_json::from_str::<RuntimeEvent>(&text).unwrap().digest()
        };
        let digest = RustCrypto::hash(HashAlg::Sha384, &[b"\x01\0\0\x08:a:\x01"]);
        assert_eq!(event("", "a").unwrap(), digest.as_bytes());
        assert_eq!(event("22", "a").unwrap(), [0x22]);
    }

    #[test]
    fn a_log_in_json_leads_to_its_registers_alone() {
        let log = RuntimeLog::read(format!(r#"[{{"imr":3,"digest":"{}"}}]"#, "22".repeat(48)).as_bytes()).unwrap();
        let extended = RustCrypto::hash(HashAlg::Sha384, &[&[0; 48], &[0x22; 48]]);
        let extended = extended.as_bytes().try_into().unwrap();
        let failures = |rtmrs| {
            let mut findings = Findings::default();
            log.compare("log", &Registers::quoted(&rtmrs), &mut findings).unwrap();
            findings.failures.len()
        };
        assert_eq!(failures([[0; 48], [0; 48], [0; 48], extended]), 0);
        assert_eq!(failures([[0; 48], [0; 48], extended, [0; 48]]), 2);
        let fifth = Registers { rtmr: BTreeMap::from([(4, "00".repeat(48))]) };
        assert!(log.compare("log", &fifth, &mut Findings::default()).is_err());
    }
}
