// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Event logs: hand-made ones for each rule, and every recorded one against its machine's registers.

use std::string::{String, ToString};
use std::vec::Vec;

use super::*;
use crate::testing::{RealHashes, evidence};
use crate::{Hashes, PcrBank};

const SHA256_HEADER: &[u8] = b"Spec ID Event03\0\0\0\0\0\x00\x02\x00\x02\x01\0\0\0\x0b\0\x20\0\0";

fn legacy(pcr: u32, kind: EventType, data: &[u8]) -> Vec<u8> {
    let digest = RealHashes.hash(HashId::SHA1, &[data]).unwrap();
    record(pcr, kind, digest.as_bytes(), data)
}

fn record(pcr: u32, kind: EventType, digests: &[u8], data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    [&pcr.to_le_bytes(), &kind.0.to_le_bytes(), digests, &size.to_le_bytes(), data].concat()
}

fn agile(pcr: u32, kind: EventType, digests: &[(u16, &[u8])], data: &[u8]) -> Vec<u8> {
    let mut values = u32::try_from(digests.len()).unwrap().to_le_bytes().to_vec();
    for (algorithm, digest) in digests {
        values.extend(algorithm.to_le_bytes());
        values.extend(*digest);
    }
    record(pcr, kind, &values, data)
}

fn with_header(events: &[Vec<u8>]) -> Vec<u8> {
    [record(0, EventType::NO_ACTION, &[0; 20], SHA256_HEADER), events.concat()].concat()
}

fn collect(log: &[u8]) -> Result<Vec<Event<'_>>, Error> {
    EventLog::parse(log)?.events().collect()
}

fn sha256(data: &[u8]) -> Vec<u8> {
    RealHashes.hash(HashId::SHA256, &[data]).unwrap().as_bytes().to_vec()
}

#[test]
fn a_log_without_header_is_a_sha1_log() {
    let log = [legacy(4, EventType::ACTION, b"a"), legacy(4, EventType::SEPARATOR, &[0; 4])].concat();
    let events = collect(&log).unwrap();
    assert_eq!(events.iter().map(|event| (event.at.record, event.at.offset)).collect::<Vec<_>>(), [(0, 0), (1, 33)]);
    assert_eq!(events[1].decode(), EventData::Separator(0));
}

#[test]
fn an_empty_log_has_no_events_and_no_extended_register() {
    let log = EventLog::parse(&[]).unwrap();
    assert_eq!(log.events().count(), 0);
    assert!(log.replay(&[HashId::SHA1], &RealHashes).unwrap()[0].extended().is_empty());
}

#[test]
fn padding_of_ones_or_zeros_ends_the_log_and_anything_else_does_not() {
    let event = legacy(4, EventType::ACTION, b"a");
    for padding in [0xFF, 0] {
        let log = [event.clone(), std::vec![padding; 100]].concat();
        assert_eq!(collect(&log).unwrap().len(), 1);
    }
    let mut log = [event, std::vec![0xFF; 100]].concat();
    *log.last_mut().unwrap() = 0;
    assert!(matches!(collect(&log), Err(Error::TooLong { at: At { record: 1, .. }, .. })));
}

#[test]
fn a_last_event_that_ends_in_zeros_or_ones_is_no_padding() {
    for data in [[0; 4], [0xFF; 4]] {
        let log = legacy(4, EventType::SEPARATOR, &data);
        assert_eq!(collect(&log).unwrap().len(), 1);
        let padded = [log, std::vec![data[0]; 64]].concat();
        assert_eq!(collect(&padded).unwrap().len(), 1);
    }
}

#[test]
fn zeros_that_a_last_byte_makes_records_are_read_in_one_pass() {
    let mut log = std::vec![0; 1 << 20];
    *log.last_mut().unwrap() = 1;
    assert!(matches!(collect(&log), Err(Error::TooManyRecords { .. })));
}

#[test]
fn a_truncated_record_is_blamed_by_number_and_offset() {
    let log = [legacy(4, EventType::ACTION, b"a"), legacy(4, EventType::ACTION, b"bcd")].concat();
    assert_eq!(
        collect(&log[..log.len() - 1]).unwrap_err(),
        Error::Truncated { at: At { record: 1, offset: 65 }, what: "event data", needed: 3, available: 2 }
    );
}

#[test]
fn event_data_above_the_limit_are_not_looked_for() {
    let mut log = legacy(4, EventType::ACTION, b"");
    log[28..32].copy_from_slice(&0x0010_0001_u32.to_le_bytes());
    assert_eq!(
        collect(&log).unwrap_err(),
        Error::TooLong {
            at: At { record: 0, offset: 28 },
            what: "event data",
            length: 0x0010_0001,
            limit: MAX_EVENT_DATA
        }
    );
}

#[test]
fn more_events_than_the_limit_are_refused() {
    let event = legacy(4, EventType::ACTION, b"");
    let log = event.repeat(usize::try_from(MAX_EVENTS).unwrap() + 2);
    assert!(matches!(collect(&log), Err(Error::TooManyRecords { limit: MAX_EVENTS, .. })));
}

#[test]
fn an_event_with_a_bank_that_the_header_lacks_is_refused() {
    let log = with_header(&[agile(4, EventType::ACTION, &[(4, &[0; 20])], b"")]);
    assert!(matches!(collect(&log), Err(Error::UnlistedAlgorithm { algorithm: HashId::SHA1, .. })));
}

#[test]
fn an_event_with_a_bank_twice_is_refused() {
    let log = with_header(&[agile(4, EventType::ACTION, &[(11, &[0; 32]), (11, &[0; 32])], b"")]);
    assert!(matches!(collect(&log), Err(Error::DuplicateAlgorithm { algorithm: HashId::SHA256, .. })));
}

#[test]
fn an_event_without_a_bank_leaves_that_bank_alone() {
    let log = with_header(&[agile(4, EventType::ACTION, &[], b"")]);
    let banks = EventLog::parse(&log).unwrap().replay(&[HashId::SHA256], &RealHashes).unwrap();
    assert_eq!(banks[0], PcrBank::at_startup(HashId::SHA256).unwrap());
    assert_eq!(collect(&log).unwrap()[0].preimage(HashId::SHA256, &RealHashes), None);
}

#[test]
fn a_bank_that_is_not_logged_cannot_be_replayed() {
    let log = with_header(&[]);
    assert_eq!(
        EventLog::parse(&log).unwrap().replay(&[HashId::SHA384], &RealHashes),
        Err(Error::BankNotLogged { algorithm: HashId::SHA384 })
    );
}

#[test]
fn an_event_of_register_24_cannot_be_replayed() {
    let log = legacy(24, EventType::ACTION, b"a");
    assert_eq!(
        EventLog::parse(&log).unwrap().replay(&[HashId::SHA1], &RealHashes),
        Err(Error::PcrOutOfRange { at: At { record: 0, offset: 0 }, pcr: 24 })
    );
}

#[test]
fn startup_locality_starts_pcr_0_and_extends_nothing() {
    let locality = agile(0, EventType::NO_ACTION, &[(11, &[0; 32])], b"StartupLocality\0\x03");
    let log = with_header(&[locality]);
    let banks = EventLog::parse(&log).unwrap().replay(&[HashId::SHA256], &RealHashes).unwrap();
    let pcr0 = PcrIndex::new(0).unwrap();
    assert_eq!(banks[0].value(pcr0).as_bytes(), [[0; 31].as_slice(), &[3]].concat());
    assert!(banks[0].extended().is_empty());
}

#[test]
fn startup_locality_twice_or_behind_pcr_0_or_of_locality_1_is_refused() {
    let locality = |value: u8| {
        agile(0, EventType::NO_ACTION, &[(11, &[0; 32])], &[b"StartupLocality\0".as_slice(), &[value]].concat())
    };
    let crtm = agile(0, EventType::S_CRTM_VERSION, &[(11, &[7; 32])], b"");
    let replay = |events: &[Vec<u8>]| {
        EventLog::parse(&with_header(events)).unwrap().replay(&[HashId::SHA256], &RealHashes).unwrap_err()
    };

    assert!(matches!(replay(&[locality(3), locality(3)]), Error::LateStartupLocality { .. }));
    assert!(matches!(replay(&[crtm, locality(3)]), Error::LateStartupLocality { .. }));
    assert!(matches!(replay(&[locality(1)]), Error::StartupLocality { locality: 1, .. }));
}

#[test]
fn data_that_hash_to_the_digest_are_a_fact_and_others_are_not() {
    let action = b"Calling EFI Application from Boot Option";
    let true_event = agile(4, EventType::EFI_ACTION, &[(11, &sha256(action))], action);
    let false_event = agile(4, EventType::EFI_ACTION, &[(11, &sha256(action))], b"Returning from nothing");
    let log = with_header(&[true_event, false_event]);
    let events = collect(&log).unwrap();
    assert_eq!(events[0].preimage(HashId::SHA256, &RealHashes), Some(Preimage::EventData(action)));
    assert_eq!(events[1].preimage(HashId::SHA256, &RealHashes), None);
}

#[test]
fn a_boot_variable_measured_without_its_name_proves_only_its_content() {
    let mut data = GLOBAL_VARIABLE.0.to_vec();
    data.extend(8_u64.to_le_bytes());
    data.extend(2_u64.to_le_bytes());
    data.extend(b"B\0o\0o\0t\x000\x000\x000\x000\0");
    data.extend([1, 0]);
    let log = with_header(&[agile(1, EventType::EFI_VARIABLE_BOOT, &[(11, &sha256(&[1, 0]))], &data)]);
    let events = collect(&log).unwrap();
    assert_eq!(events[0].preimage(HashId::SHA256, &RealHashes), Some(Preimage::VariableContent(&[1, 0])));
}

#[test]
fn a_relabelled_variable_event_does_not_prove_part_of_its_data() {
    // The content-only digest is accepted for EV_EFI_VARIABLE_BOOT alone: for Secure Boot variables the name counts.
    let mut data = GLOBAL_VARIABLE.0.to_vec();
    data.extend(2_u64.to_le_bytes());
    data.extend(1_u64.to_le_bytes());
    data.extend(b"P\0K\0");
    data.push(1);
    let log = with_header(&[agile(7, EventType::EFI_VARIABLE_DRIVER_CONFIG, &[(11, &sha256(&[1]))], &data)]);
    assert_eq!(collect(&log).unwrap()[0].preimage(HashId::SHA256, &RealHashes), None);
}

#[test]
fn an_error_separator_is_known_by_the_digest_of_one() {
    let digest = sha256(&1_u32.to_le_bytes());
    let log = with_header(&[agile(4, EventType::SEPARATOR, &[(11, &digest)], b"boot failed")]);
    assert_eq!(collect(&log).unwrap()[0].preimage(HashId::SHA256, &RealHashes), Some(Preimage::ErrorSeparator));
}

#[test]
fn the_short_no_action_event_is_one_event_that_extends_nothing() {
    let Some(evidence) = evidence() else { return };
    let log = std::fs::read(evidence.join("tcg-eventlog/malformed-short-no-action/eventlog.bin")).unwrap();
    let parsed = EventLog::parse(&log).unwrap();
    let events: Vec<_> = parsed.events().map(Result::unwrap).collect();
    assert_eq!(parsed.header(), None);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].decode(), EventData::NoAction(NoAction::StartupLocality(3)));
    assert!(parsed.replay(&[HashId::SHA1], &RealHashes).unwrap()[0].extended().is_empty());
}

#[test]
fn every_recorded_event_log_replays_to_its_machines_registers() {
    let Some(evidence) = evidence() else { return };
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(evidence.join("index.json")).unwrap()).unwrap();
    let mut compared = 0;
    for item in index.as_array().unwrap().iter().filter(|item| item["kind"] == "tcg-eventlog") {
        let id = item["id"].as_str().unwrap();
        if id == "malformed-short-no-action" {
            continue;
        }
        let folder = evidence.join("tcg-eventlog").join(id);
        let bytes = std::fs::read(folder.join("eventlog.bin")).unwrap();
        let log = EventLog::parse(&bytes).unwrap_or_else(|error| panic!("{id}: {error}"));

        let expect = &item["expect"];
        let banks: Vec<_> = log.banks().iter().map(|bank| bank.algorithm).collect();
        let names: Vec<_> = banks.iter().map(|bank| bank.to_string()).collect();
        assert_eq!(serde_json::json!(names), expect["banks"], "{id}");
        let events: Result<Vec<_>, _> = log.events().collect();
        // The index counts the header as an event.
        let events = events.unwrap_or_else(|error| panic!("{id}: {error}")).len();
        assert_eq!(events + usize::from(log.header().is_some()), expect["events"].as_u64().unwrap() as usize, "{id}");

        let pcrs: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.join("pcrs.json")).unwrap()).unwrap();
        let replayed = log.replay(&banks, &RealHashes).unwrap_or_else(|error| panic!("{id}: {error}"));
        let touched = replayed.iter().fold(crate::PcrSet::EMPTY, |touched, bank| touched.union(bank.extended()));
        let touched: Vec<_> = touched.iter().map(PcrIndex::value).collect();
        assert_eq!(serde_json::json!(touched), expect["pcrs_touched"], "{id}");
        for bank in &replayed {
            compared += compare(id, bank, &pcrs["banks"][bank.algorithm().to_string()]);
        }
    }
    assert!(compared >= 405, "only {compared} registers compared");
}

fn compare(id: &str, replayed: &PcrBank, expected: &serde_json::Value) -> usize {
    let Some(registers) = expected.as_object() else { return 0 };
    for (pcr, value) in registers {
        let index = PcrIndex::new(pcr.parse().unwrap()).unwrap();
        let algorithm = replayed.algorithm();
        assert_eq!(replayed.value(index).to_string(), value.as_str().unwrap(), "{id} {algorithm} PCR {pcr}");
    }
    registers.len()
}

#[test]
fn confidential_computing_logs_replay_to_their_runtime_registers() {
    // CCEL: "MR index n is RTMR n-1"; RTMRs start as zeros and extend as PCRs do.
    let Some(evidence) = evidence() else { return };
    let mut logs = 0;
    for entry in std::fs::read_dir(evidence.join("ccel")).unwrap() {
        let folder = entry.unwrap().path();
        let (Ok(bytes), Ok(rtmrs)) = (std::fs::read(folder.join("ccel.bin")), std::fs::read(folder.join("rtmrs.json")))
        else {
            continue;
        };
        let rtmrs: serde_json::Value = serde_json::from_slice(&rtmrs).unwrap();
        let bank = &EventLog::parse(&bytes).unwrap().replay(&[HashId::SHA384], &RealHashes).unwrap()[0];
        for (rtmr, value) in rtmrs["rtmr"].as_object().unwrap() {
            let register = PcrIndex::new(rtmr.parse::<u32>().unwrap() + 1).unwrap();
            assert_eq!(bank.value(register).to_string(), value.as_str().unwrap(), "{folder:?} RTMR {rtmr}");
        }
        logs += 1;
    }
    assert_eq!(logs, 7);
}

#[test]
fn a_recorded_secure_boot_tells_its_story() {
    let Some(evidence) = evidence() else { return };
    let bytes = std::fs::read(evidence.join("vm-boot/secureboot/boot/bios.bin")).unwrap();
    let log = EventLog::parse(&bytes).unwrap();
    let mut told = Vec::new();
    for event in log.events().map(Result::unwrap) {
        let fact = match (event.preimage(HashId::SHA256, &RealHashes), event.decode()) {
            (Some(Preimage::EventData(_)), EventData::Variable(variable)) if variable.content.len() == 1 => {
                Some(std::format!("{} = {}", variable.name, variable.content[0]))
            }
            (Some(Preimage::GrubText(text)), EventData::Ipl(Ipl::KernelCommandLine(_))) => {
                Some(crate::Text(text).to_string())
            }
            (None, EventData::Image(image)) if event.at.record == 24 => Some(image.device_path.to_string()),
            (Some(Preimage::EventData(_)), EventData::Gpt(gpt)) => {
                Some(gpt.partitions().map(|partition| std::format!("{}", partition.id)).collect::<String>())
            }
            _ => None,
        };
        told.extend(fact);
    }
    assert_eq!(
        told,
        [
            "SecureBoot = 1",
            "aaaaaaaa-0000-0000-0000-000000000001",
            "/PciRoot(0x0)/Pci(0x2,0x0)/HD(1,aaaaaaaa-0000-0000-0000-000000000001)\
             /\\EFI\\BOOT\\BOOTX64.EFI",
            "/vmlinuz console=ttyS0 ima_policy=tcb root=/dev/ram0 rdinit=/init quiet",
        ]
    );
}

#[test]
fn no_truncation_of_a_recorded_log_panics() {
    let Some(evidence) = evidence() else { return };
    let bytes = std::fs::read(evidence.join("vm-boot/direct/boot/bios.bin")).unwrap();
    for length in 0..bytes.len() {
        let Ok(log) = EventLog::parse(&bytes[..length]) else { continue };
        for event in log.events().filter_map(Result::ok) {
            let _ = std::format!("{:?}", event.decode());
        }
    }
}
