// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `tpm2_eventlog` and our parser on the firmware log of a real boot: the same events, and the same PCRs.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeMap;
use std::path::Path;
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

fn theirs(path: &Path) -> Log {
    let output = Command::new("tpm2").arg("eventlog").arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (events, values) = text.split_once("\npcrs:\n").unwrap_or_else(|| panic!("no PCRs in\n{text}"));
    let mut log = Log::default();
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
    let mut bank = String::new();
    for line in values.lines() {
        match line.trim().split_once(':') {
            Some((name, "")) => bank = name.to_owned(),
            Some((pcr, value)) => {
                let key = (bank.clone(), pcr.trim().parse().unwrap());
                log.values.insert(key, value.trim().trim_start_matches("0x").to_owned());
            }
            None => {}
        }
    }
    log
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
