// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `tcg-eventlog`: firmware logs, their format, and the registers that they lead to.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use evtpm_logs::tcg::{EventType, Format};
use evtpm_logs::{EventLog, HashId, PcrBank, PcrIndex, PcrSet};
use evtpm_verify::logs::CryptoHashes;
use serde::Deserialize;

use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, demands_refusal, is_bad};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    format: Option<String>,
    banks: Option<Vec<String>>,
    events: Option<usize>,
    pcrs_touched: Option<Vec<u8>>,
    notes: Option<String>,
}

/// `pcrs.json`: values by bank and register.
#[derive(Debug, Deserialize)]
struct Registers {
    banks: BTreeMap<String, BTreeMap<String, String>>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let bytes = store.stem("eventlog")?;
    let notes = expect.notes.as_deref();
    if expect.events.is_none() && (is_bad(&item.id) || demands_refusal(notes) || is_harmless(notes)) {
        check_malformed(bytes, &item.id, &expect, findings);
        return Ok(());
    }
    let log = EventLog::parse(bytes)?;
    findings.equal_if("format", expect.format.as_ref(), &format_name(&log));
    if let Some(expected) = &expect.banks {
        findings.equal("banks", &expected.iter().map(|name| bank_name(name)).collect(), &banks(&log));
    }

    let events: Result<Vec<_>, _> = log.events().collect();
    let Some(events) = findings.accepted("events", events) else { return Ok(()) };
    // The index counts the Spec ID event as well.
    let count = events.len() + usize::from(log.header().is_some());
    findings.equal_if("number of events", expect.events.as_ref(), &count);
    let touched: PcrSet =
        events.iter().filter(|event| event.is_extended()).filter_map(|event| event.pcr_index()).collect();
    findings.equal_if("registers", expect.pcrs_touched.as_ref(), &touched.iter().map(PcrIndex::value).collect());
    check_registers(&log, store, findings)?;
    check_applications(&log, store, findings)
}

fn format_name(log: &EventLog<'_>) -> String {
    let name = match log.format() {
        Format::Sha1 => "sha1",
        Format::CryptoAgile => "agile",
    };
    name.to_owned()
}

fn is_harmless(notes: Option<&str>) -> bool {
    notes.is_some_and(|notes| notes.to_ascii_lowercase().contains("not crash"))
}

/// A malformed log has to be refused, unless the index names its format or asks for no more than that it does no harm.
fn check_malformed(bytes: &[u8], id: &str, expect: &Expect, findings: &mut Findings) {
    let notes = expect.notes.as_deref();
    let log = EventLog::parse(bytes);
    if let Ok(log) = &log {
        findings.equal_if("format", expect.format.as_ref(), &format_name(log));
    }
    let events = log.and_then(|log| log.events().collect::<Result<Vec<_>, _>>());
    let may_be_read = is_harmless(notes) || expect.format.is_some();
    if demands_refusal(notes) || is_bad(id) && !may_be_read {
        // A log without an event says nothing that could be believed.
        let events = events.map_err(anyhow::Error::from).and_then(|events| {
            anyhow::ensure!(!events.is_empty(), "the log has no event");
            Ok(events)
        });
        findings.refused("log", events);
    } else {
        findings.pass(&format!("log does no harm ({})", if events.is_ok() { "read" } else { "refused" }));
    }
}

/// Names the banks as the Linux kernel does.
pub(super) fn banks(log: &EventLog<'_>) -> Vec<String> {
    log.banks().iter().map(|bank| bank.algorithm.to_string()).collect()
}

/// Reads a bank's name in any of the usual spellings.
pub(super) fn bank_name(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('_', "-");
    HashId::from_name(&name).map_or(name, |bank| bank.to_string())
}

fn check_registers(log: &EventLog<'_>, store: &Store, findings: &mut Findings) -> Result<()> {
    if store.find("pcrs.json").is_none() {
        return Ok(());
    }
    let recorded: Registers = store.json("pcrs.json")?;
    for (name, registers) in &recorded.banks {
        let bank = HashId::from_name(&bank_name(name)).with_context(|| format!("unknown bank {name}"))?;
        let replayed = log.replay(&[bank], &CryptoHashes);
        let Some([replayed]) =
            findings.accepted("replay", replayed).and_then(|banks| <[PcrBank; 1]>::try_from(banks).ok())
        else {
            continue;
        };
        for (register, expected) in registers {
            let pcr = register.parse().ok().and_then(PcrIndex::new).with_context(|| format!("register {register}"))?;
            let what = format!("{name} PCR {register}");
            findings.equal(&what, &expected.to_ascii_lowercase(), &replayed.value(pcr).to_string());
        }
    }
    Ok(())
}

/// `efi-app-digests.json`: the digests of the boot services applications, in order, by bank.
///
/// A list of which no digest is in the log at all is of another machine (that of `gdc-host` is the one of `cos-101-amd-sev`),
/// and says nothing about this log, whose PCR 4 was compared before.
fn check_applications(log: &EventLog<'_>, store: &Store, findings: &mut Findings) -> Result<()> {
    if store.find("efi-app-digests.json").is_none() {
        return Ok(());
    }
    let recorded: BTreeMap<String, Vec<String>> = store.json("efi-app-digests.json")?;
    for (name, expected) in &recorded {
        let bank = HashId::from_name(&bank_name(name)).with_context(|| format!("unknown bank {name}"))?;
        let started = log.events().filter_map(Result::ok).filter(|event| {
            event.kind == EventType::EFI_BOOT_SERVICES_APPLICATION
                && event.pcr_index().is_some_and(|pcr| pcr.value() == 4)
        });
        let digests: Vec<String> = started.filter_map(|event| event.digests().find(bank).map(hex)).collect();
        let logged = |digest: &String| {
            log.events()
                .filter_map(Result::ok)
                .any(|event| event.digests().find(bank).map(hex).as_ref() == Some(digest))
        };
        if expected.iter().any(logged) || digests.is_empty() {
            findings.equal(&format!("{name} applications"), expected, &digests);
        } else {
            findings.not_checkable(&format!("{name} applications: none of the listed digests is in the log"));
        }
    }
    Ok(())
}
