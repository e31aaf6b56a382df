// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every boot of `vm-boot`: both logs replay to every register of every bank that the machine showed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

use crate::ima::{AggregateRange, AsciiList, BinaryList, TemplateDigests, boot_aggregate, extend};
use crate::testing::{RealHashes, evidence};
use crate::{EventLog, HashId, PcrBank, PcrIndex};

const BANKS: [HashId; 4] = [HashId::SHA1, HashId::SHA256, HashId::SHA384, HashId::SHA512];

/// Returns all snapshot folders, by the name that the documentation uses: `direct/odd`.
fn snapshots() -> Vec<(String, PathBuf)> {
    let Some(evidence) = evidence() else { return Vec::new() };
    let root = evidence.join("vm-boot");
    let mut found = Vec::new();
    for boot in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for snapshot in std::fs::read_dir(&boot).unwrap().map(|entry| entry.unwrap().path()) {
            if snapshot.join("ima.bin").is_file() {
                let name = snapshot.strip_prefix(&root).unwrap().to_str().unwrap().to_string();
                found.push((name, snapshot));
            }
        }
    }
    found.sort();
    found
}

fn registers(snapshot: &Path, bank: HashId) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(snapshot.join(std::format!("pcr-{bank}.txt"))).ok()?;
    Some(text.lines().map(|line| line.split_once(' ').unwrap().1.to_lowercase()).collect())
}

fn differing(bank: &PcrBank, registers: &[String]) -> Vec<u8> {
    PcrIndex::all()
        .filter(|pcr| bank.value(*pcr).to_string() != registers[usize::from(pcr.value())])
        .map(PcrIndex::value)
        .collect()
}

#[test]
fn every_recorded_boot_replays_to_every_register_of_every_bank() {
    let mut verdicts = BTreeMap::new();
    for (name, snapshot) in snapshots() {
        let ima = std::fs::read(snapshot.join("ima.bin")).unwrap();
        let bios = std::fs::read(snapshot.join("bios.bin")).unwrap_or_default();
        let boot = name.split('/').next().unwrap().to_string();
        for bank in BANKS {
            let Some(registers) = registers(&snapshot, bank) else {
                assert_eq!(boot, "no-tpm");
                continue;
            };
            let log = EventLog::parse(&bios).unwrap();
            let start = match log.replay(&[bank], &RealHashes) {
                Ok(mut banks) => banks.remove(0),
                Err(_) => {
                    assert_eq!(boot, "grub-nolog");
                    PcrBank::at_startup(bank).unwrap()
                }
            };
            let replayed = [TemplateDigests::OfBank, TemplateDigests::PaddedSha1].map(|digests| {
                let mut bank = start.clone();
                for entry in BinaryList::new(&ima) {
                    extend(&mut bank, &entry.unwrap(), digests, &RealHashes).unwrap();
                }
                differing(&bank, &registers)
            });
            let padded = boot == "secureboot" || boot == "grub-nolog";
            let digests = usize::from(padded && matches!(bank, HashId::SHA384 | HashId::SHA512));
            if boot == "grub-nolog" {
                // GRUB 2.06 starts the kernel without its stub, so the firmware's log never reaches Linux.
                assert_eq!(replayed[digests], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14], "{name} {bank}");
            } else {
                assert_eq!(replayed[digests], [0_u8; 0], "{name} {bank}");
            }
            *verdicts.entry(boot.clone()).or_insert(0) += 1;
        }
    }
    if let Some(total) = verdicts.values().copied().reduce(|a: i32, b| a + b) {
        assert_eq!(verdicts.len(), 18, "{verdicts:?}");
        assert!(total >= 4 * 64, "{verdicts:?}");
    }
}

#[test]
fn every_recorded_boot_aggregate_recomputes_from_its_bank() {
    for (name, snapshot) in snapshots() {
        let ima = std::fs::read(snapshot.join("ima.bin")).unwrap();
        let first = BinaryList::new(&ima).next().unwrap().unwrap();
        assert_eq!(first.path(), b"boot_aggregate");
        let recorded = first.digest().unwrap();
        if name.starts_with("no-tpm") {
            assert!(recorded.bytes.iter().all(|byte| *byte == 0), "{name}");
            continue;
        }
        if name.starts_with("grub-nolog") {
            continue;
        }
        let algorithm = HashId::from_name(recorded.algorithm).unwrap();
        let bios = std::fs::read(snapshot.join("bios.bin")).unwrap();
        let bank = EventLog::parse(&bios).unwrap().replay(&[algorithm], &RealHashes).unwrap().remove(0);
        let aggregate = boot_aggregate(&bank, AggregateRange::of(algorithm), &RealHashes).unwrap();
        assert_eq!(aggregate.as_bytes(), recorded.bytes, "{name}");
    }
}

#[test]
fn every_recorded_template_hash_recomputes_and_violations_are_two() {
    for (name, snapshot) in snapshots() {
        let ima = std::fs::read(snapshot.join("ima.bin")).unwrap();
        let mut violations = 0;
        for entry in BinaryList::new(&ima) {
            let entry = entry.unwrap();
            entry.check_template_hash(&RealHashes).unwrap_or_else(|error| panic!("{name}: {error}"));
            violations += u32::from(entry.is_violation());
        }
        if name.ends_with("/odd") && !name.starts_with("debian") {
            assert_eq!(violations, 2, "{name}");
        }
    }
}

#[test]
fn lists_per_bank_have_that_banks_template_hashes() {
    let mut lists = 0;
    for (name, snapshot) in snapshots() {
        for bank in BANKS {
            let Ok(list) = std::fs::read(snapshot.join(std::format!("ima-{bank}.bin"))) else { continue };
            for entry in BinaryList::with_hash_size(&list, bank.digest_size().unwrap()) {
                entry.unwrap().check_template_hash(&RealHashes).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            lists += 1;
        }
    }
    assert!(lists == 0 || lists >= 4, "{lists}");
}

#[test]
fn every_ascii_list_is_its_binary_list() {
    let mut compared = 0;
    for (name, snapshot) in snapshots() {
        let Ok(text) = std::fs::read(snapshot.join("ima.txt")) else { continue };
        let binary = std::fs::read(snapshot.join("ima.bin")).unwrap();
        let rewritten = AsciiList::to_binary(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(rewritten == binary, "{name}");
        compared += 1;
    }
    assert!(compared == 0 || compared > 40, "{compared}");
}

#[test]
fn odd_names_keep_their_bytes() {
    let Some((_, snapshot)) = snapshots().into_iter().find(|(name, _)| name == "direct/odd") else { return };
    let ima = std::fs::read(snapshot.join("ima.bin")).unwrap();
    let paths: Vec<_> = BinaryList::new(&ima).map(|entry| entry.unwrap().path()).collect();
    for name in [
        b"/data/quote\"s'".as_slice(),
        b"/data/back\\slash",
        b"/data/new\nline",
        b"/data/tab\ttab",
        b"/data/colon:and,comma",
        "/data/naïve-ünïcode-日本".as_bytes(),
        b"/data/name_with_spaces",
        b"/data/empty",
    ] {
        assert!(paths.contains(&name), "{}", crate::Text(name));
    }
    assert!(paths.iter().any(|path| path.len() > 255));
}

#[test]
fn no_truncation_and_no_flipped_byte_of_a_list_panics() {
    let Some((_, snapshot)) = snapshots().into_iter().find(|(name, _)| name == "direct/odd") else { return };
    let mut ima = std::fs::read(snapshot.join("ima.bin")).unwrap();
    ima.truncate(2000);
    for position in 0..ima.len() {
        assert!(BinaryList::new(&ima[..position]).count() <= 20);
        ima[position] ^= 0x80;
        assert!(BinaryList::new(&ima).count() <= 20);
        ima[position] ^= 0x80;
    }
}
