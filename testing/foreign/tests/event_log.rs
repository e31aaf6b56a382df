// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `tpm2_eventlog` and our parser on the firmware logs of real boots: the same events, and the same PCRs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_logs::{Digest, HashId, Hashes, tcg};
use evtpm_testing_foreign::tools::installed;

struct Ours;

impl Hashes for Ours {
    fn hash(&self, algorithm: HashId, parts: &[&[u8]]) -> Option<Digest> {
        let algorithm = match algorithm {
            HashId::SHA1 => HashAlg::Sha1,
            HashId::SHA256 => HashAlg::Sha256,
            HashId::SHA384 => HashAlg::Sha384,
            HashId::SHA512 => HashAlg::Sha512,
            _ => return None,
        };
        Digest::new(RustCrypto::hash(algorithm, parts).as_bytes())
    }
}

const BANKS: [HashId; 4] = [HashId::SHA1, HashId::SHA256, HashId::SHA384, HashId::SHA512];

/// What the tool's YAML says: PCR and type of each event, and the value of each extended PCR.
#[derive(Debug, Default, PartialEq, Eq)]
struct Log {
    events: Vec<(u32, String)>,
    values: BTreeMap<(String, u8), String>,
}

fn theirs_text(path: &Path) -> String {
    let output = Command::new("tpm2").arg("eventlog").arg(path).output().unwrap();
    assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn theirs(path: &Path) -> Log {
    let text = theirs_text(path);
    let (events, _) = text.split_once("\npcrs:\n").unwrap_or_else(|| panic!("no PCRs in\n{text}"));
    let mut log = Log { values: values(&text), ..Log::default() };
    let mut pcr = 0;
    for line in events.lines() {
        match line.trim_start_matches([' ', '-']).split_once(": ") {
            Some(("PCRIndex", number)) => pcr = number.parse().unwrap(),
            Some(("EventType", name)) if line.starts_with("  EventType") => log.events.push((pcr, name.to_owned())),
            _ => {}
        }
    }
    // The header of the log counts as an event for the tool.
    assert_eq!(log.events.remove(0), (0, "EV_NO_ACTION".to_owned()));
    log
}

/// What the tool says that the registers hold.
fn values(text: &str) -> BTreeMap<(String, u8), String> {
    let (_, values) = text.split_once("\npcrs:\n").unwrap_or_else(|| panic!("no PCRs in\n{text}"));
    let mut found = BTreeMap::new();
    let mut bank = String::new();
    for line in values.lines() {
        match line.trim().split_once(':') {
            Some((name, "")) => bank = name.to_owned(),
            Some((pcr, value)) => {
                let key = (bank.clone(), pcr.trim().parse().unwrap());
                found.insert(key, value.trim().trim_start_matches("0x").to_owned());
            }
            None => {}
        }
    }
    found
}

fn ours(path: &Path) -> Log {
    let bytes = std::fs::read(path).unwrap();
    let parsed = tcg::EventLog::parse(&bytes).unwrap();
    let mut log = Log::default();
    for event in parsed.events() {
        let event = event.unwrap();
        log.events.push((event.pcr, event.kind.to_string()));
    }
    for bank in parsed.replay(&BANKS, &Ours).unwrap() {
        for pcr in bank.extended().iter() {
            let key = (bank.algorithm().name().unwrap_or_default().to_owned(), pcr.value());
            log.values.insert(key, bank.value(pcr).to_string());
        }
    }
    log
}

/// Logs that the tool does not read, and why; we do, or refuse them where a reason says so.
const TOOL_FAILS: [(&str, &str); 3] = [
    ("ibm-p511", "it has no PCR for an EV_NO_ACTION event of PCR 0xFFFFFFFF, which extends nothing"),
    (
        "malformed-short-no-action",
        "it takes a first EV_NO_ACTION event for a Spec ID event; we for a SHA-1 log with one event",
    ),
    ("option-rom", "it crashes"),
];

/// PCR 0 as the tool of version 5.4 computes it: from zeros whatever the startup locality, and extended by EV_NO_ACTION events too,
/// which no TPM is (TCG *PC Client Platform Firmware Profile*, "EV_NO_ACTION").
fn pcr_0_of_the_tool(log: &tcg::EventLog<'_>, bank: HashId) -> String {
    let mut value = Digest::filled(0, bank.digest_size().unwrap()).unwrap();
    for event in log.events().map(Result::unwrap).filter(|event| event.pcr == 0) {
        let digests = event.digests();
        let digest = digests.find(bank).unwrap();
        value = Ours.hash(bank, &[value.as_bytes(), digest]).unwrap();
    }
    value.to_string()
}

#[test]
fn every_log_of_the_evidence_folder_is_replayed_alike() {
    let root = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    let Ok(items) = std::fs::read_dir(root.join("tcg-eventlog")) else {
        eprintln!("skipped: no evidence folder (EVTPM_EVIDENCE)");
        return;
    };
    if !installed() {
        return;
    }
    let (mut compared, mut explained, mut differing) = (0, 0, Vec::new());
    for item in items.map(|item| item.unwrap().path()) {
        let name = item.file_name().unwrap().to_str().unwrap().to_owned();
        let log = item.join("eventlog.bin");
        if TOOL_FAILS.iter().any(|(fails, _)| *fails == name) {
            let output = Command::new("tpm2").arg("eventlog").arg(&log).output().unwrap();
            assert!(!output.status.success(), "{name}: the tool reads it now");
            continue;
        }
        let theirs = values(&theirs_text(&log));
        let mut ours = ours_of(&log, &theirs);
        let bytes = std::fs::read(&log).unwrap();
        let parsed = tcg::EventLog::parse(&bytes).unwrap();
        for ((bank, pcr), value) in &mut ours {
            if *pcr == 0 && theirs.get(&(bank.clone(), 0)) != Some(value) {
                explained += 1;
                *value = pcr_0_of_the_tool(&parsed, HashId::from_name(bank).unwrap());
            }
        }
        if ours != theirs {
            differing.push(format!("{name}: {ours:?}\n{theirs:?}"));
        }
        compared += 1;
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert!(compared >= 25 && explained > 0, "{compared} compared, {explained} registers explained");
}

/// The values of the banks that the other one has.
fn ours_of(path: &Path, theirs: &BTreeMap<(String, u8), String>) -> BTreeMap<(String, u8), String> {
    let bytes = std::fs::read(path).unwrap();
    let parsed = tcg::EventLog::parse(&bytes).unwrap();
    let named = |bank: &HashId| theirs.keys().any(|(name, _)| Some(name.as_str()) == bank.name());
    let banks: Vec<HashId> = BANKS.into_iter().filter(named).collect();
    let mut values = BTreeMap::new();
    for bank in parsed.replay(&banks, &Ours).unwrap() {
        for pcr in bank.extended().iter() {
            let key = (bank.algorithm().name().unwrap_or_default().to_owned(), pcr.value());
            values.insert(key, bank.value(pcr).to_string());
        }
    }
    values
}

#[test]
fn a_real_boot_is_read_and_replayed_alike() {
    if !installed() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/debian-boot/bios.bin");
    let (theirs, ours) = (theirs(&path), ours(&path));
    assert!(theirs.events.len() > 20 && theirs.values.len() > 20, "{theirs:?}");
    assert_eq!(ours, theirs);
}
