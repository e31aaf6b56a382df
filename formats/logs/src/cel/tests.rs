// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One log in three encodings, and what none of them may be.

use alloc::string::{String, ToString};
use std::format;
use std::vec;

use super::*;
use crate::ima::BinaryList;
use crate::tcg::EventType;
use crate::testing::{RealHashes, evidence};
use crate::{Digest, EventLog, HashId, Hashes, PcrIndex};

const TEMPLATE: &[u8] = b"\x1a\0\0\0sha1:\0AAAAAAAAAAAAAAAAAAAA\x02\0\0\0f\0";
const TLV_CONTENT: &[u8] = &[0, 0, 0, 0, 1, b'f', 1, 0, 0, 0, 2, 7, 7];

fn sha256(bytes: &[u8]) -> Digest {
    RealHashes.hash(HashId::SHA256, &[bytes]).unwrap()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    [[kind].as_slice(), &(value.len() as u32).to_be_bytes(), value].concat()
}

/// A log of firmware, of IMA in both forms, and of the log itself; all digests are SHA-256.
fn in_tlv() -> Vec<u8> {
    let record = |number: u8, pcr: u8, hashed: Option<&[u8]>, content: Vec<u8>| {
        let digest = tlv(11, sha256(hashed.unwrap_or(&content)).as_bytes());
        [tlv(0, &[number]), tlv(1, &[pcr]), tlv(3, &digest), content].concat()
    };
    let pair = |kind, first: &[u8], second: &[u8]| tlv(kind, &[tlv(0, first), tlv(1, second)].concat());
    [
        record(0, 0, None, tlv(4, &pair(1, &[1], &[0]))),
        record(1, 4, Some(b"boot"), pair(5, &[5], b"boot")),
        record(2, 10, Some(TEMPLATE), pair(7, b"ima-ng", TEMPLATE)),
        record(3, 10, None, tlv(8, TLV_CONTENT)),
    ]
    .concat()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn in_json() -> Vec<String> {
    let record = |number: u8, pcr: u8, hashed: &[u8], kind: &str, content: &str| {
        let digest = sha256(hashed);
        format!(r#"{{"recnum":{number},"pcr":{pcr},"digests":[{{"hashAlg":"sha256","digest":"{digest}"}}],"#,)
            + &format!(r#""content_type":"{kind}","content":{content}}}"#)
    };
    let version = tlv(4, &tlv(1, &[tlv(0, &[1]), tlv(1, &[0])].concat()));
    vec![
        record(0, 0, &version, "cel", r#"{"type":"cel_version","data":{"major":1,"minor":0}}"#),
        record(1, 4, b"boot", "pcclient_std", r#"{"event_type":"EV_ACTION","event_data":"626f6f74"}"#),
        record(
            2,
            10,
            TEMPLATE,
            "ima_template",
            &format!(r#"{{"template_name":"ima-ng","template_data":"{}"}}"#, hex(TEMPLATE)),
        ),
        record(3, 10, &tlv(8, TLV_CONTENT), "ima_tlv", &format!("\"{}\"", hex(TLV_CONTENT))),
    ]
}

fn in_cbor() -> Vec<u8> {
    let mut out = minicbor::Encoder::new(Vec::new());
    out.array(4).unwrap();
    let version = tlv(4, &tlv(1, &[tlv(0, &[1]), tlv(1, &[0])].concat()));
    let ima_tlv = tlv(8, TLV_CONTENT);
    let hashed: [(u8, &[u8], u8); 4] = [(0, &version, 4), (4, b"boot", 5), (10, TEMPLATE, 7), (10, &ima_tlv, 8)];
    for (number, (pcr, hashed, kind)) in hashed.into_iter().enumerate() {
        out.map(5).unwrap().u8(0).unwrap().u64(number as u64).unwrap().u8(1).unwrap().u8(pcr).unwrap();
        out.u8(3).unwrap().array(1).unwrap().map(2).unwrap().u8(0).unwrap().u8(11).unwrap();
        out.u8(1).unwrap().bytes(sha256(hashed).as_bytes()).unwrap().u8(9).unwrap().u8(kind).unwrap().u8(10).unwrap();
        match kind {
            4 => {
                out.map(2).unwrap().u8(0).unwrap().u8(1).unwrap().u8(1).unwrap();
                out.map(2).unwrap().u8(0).unwrap().u8(1).unwrap().u8(1).unwrap().u8(0).unwrap()
            }
            5 => out.map(2).unwrap().u8(0).unwrap().u8(5).unwrap().u8(1).unwrap().bytes(b"boot").unwrap(),
            7 => out.map(2).unwrap().u8(0).unwrap().str("ima-ng").unwrap().u8(1).unwrap().bytes(TEMPLATE).unwrap(),
            _ => out.bytes(TLV_CONTENT).unwrap(),
        };
    }
    out.into_writer()
}

fn facts(log: &Log) -> Vec<impl PartialEq + core::fmt::Debug> {
    let facts = |entry: &Entry| (entry.number, entry.register, entry.digests.clone(), entry.content.clone());
    log.entries().iter().map(facts).collect()
}

#[test]
fn the_three_encodings_of_one_log_say_the_same() {
    let of_tlv = Log::parse(&in_tlv()).unwrap();
    assert_eq!(of_tlv.entries().len(), 4);
    assert_eq!(of_tlv.entries()[0].content, Content::Management(Management::Version { major: 1, minor: 0 }));
    let sequence = in_json().iter().map(|record| format!("\u{1e}{record}\n")).collect::<String>();
    let array = format!("[{}]", in_json().join(","));
    for (encoding, log) in [
        (Encoding::Json, in_json().join("\n").into_bytes()),
        (Encoding::Json, sequence.into_bytes()),
        (Encoding::Json, array.into_bytes()),
        (Encoding::Cbor, in_cbor()),
        (Encoding::Cbor, in_cbor()[1..].to_vec()),
    ] {
        let log = Log::parse(&log).unwrap();
        assert_eq!(log.encoding(), encoding);
        assert_eq!(facts(&log), facts(&of_tlv));
    }
}

#[test]
fn a_content_is_proven_by_its_digests_and_by_nothing_else() {
    let proven = |log: &[u8]| -> Vec<bool> {
        Log::parse(log).unwrap().entries().iter().map(|entry| entry.is_proven(&RealHashes)).collect()
    };
    assert_eq!(proven(&in_tlv()), [true; 4]);
    // JSON and CBOR do not keep how a management event was encoded when it was hashed.
    assert_eq!(proven(in_json().join("\n").as_bytes()), [false, true, true, true]);
    assert_eq!(proven(&in_cbor()), [false, true, true, true]);
    let other = in_json()[1].replace("626f6f74", "626f6f75");
    assert_eq!(proven(other.as_bytes()), [false]);
}

#[test]
fn the_registers_are_those_of_the_same_events_by_hand() {
    let log = Log::parse(&in_cbor()).unwrap();
    let bank = log.replay(&[HashId::SHA256], &RealHashes).unwrap().pop().unwrap();
    let extend = |old: &[u8], hashed: &[u8]| sha256(&[old, sha256(hashed).as_bytes()].concat());
    assert_eq!(*bank.value(PcrIndex::new(4).unwrap()), extend(&[0; 32], b"boot"));
    let first = extend(&[0; 32], TEMPLATE);
    assert_eq!(*bank.value(PcrIndex::new(10).unwrap()), extend(first.as_bytes(), &tlv(8, TLV_CONTENT)));
    assert_eq!(log.replay(&[HashId::SHA384], &RealHashes), Err(Error::BankNotLogged { algorithm: HashId::SHA384 }));
}

#[test]
fn firmware_events_become_an_event_log_and_ima_records_a_list() {
    let log = Log::parse(&in_cbor()).unwrap();
    let converted = log.to_event_log().unwrap();
    let events: Vec<_> = EventLog::parse(&converted).unwrap().events().map(Result::unwrap).collect();
    assert_eq!(events.iter().map(|event| event.pcr).collect::<Vec<_>>(), [0, 4, 10]);
    assert_eq!((events[1].kind, events[1].data), (EventType::ACTION, b"boot".as_slice()));
    let list = log.to_ima_list(&RealHashes).unwrap().unwrap();
    let entry = BinaryList::new(&list).next().unwrap().unwrap();
    assert_eq!((entry.path(), entry.digest().unwrap().bytes), (b"f".as_slice(), [b'A'; 20].as_slice()));
    assert_eq!(entry.check_template_hash(&RealHashes), Ok(()));
}

#[test]
fn systemds_log_goes_on_behind_the_firmwares() {
    let firmware = Log::parse(&in_cbor()).unwrap().to_event_log().unwrap();
    let padded = [firmware.as_slice(), &[0xFF; 64]].concat();
    let words = ["enter-initrd", "leave-initrd"];
    let userspace: String = words
        .iter()
        .map(|word| {
            let digests = format!(
                r#"[{{"hashAlg":"sha256","digest":"{}"}},{{"hashAlg":"sha1","digest":"{}"}}]"#,
                sha256(word.as_bytes()),
                RealHashes.hash(HashId::SHA1, &[word.as_bytes()]).unwrap()
            );
            let content = format!(r#"{{"eventType":"phase","string":"{word}","bootId":"00","timestamp":12}}"#);
            format!("\u{1e}{{\"pcr\":11,\"digests\":{digests},\"content_type\":\"systemd\",\"content\":{content}}}\n")
        })
        .collect();
    let userspace = Log::parse(userspace.as_bytes()).unwrap();
    assert!(userspace.entries().iter().all(|entry| entry.is_proven(&RealHashes)));
    assert_eq!(userspace.entries()[0].content.to_string(), "phase: \"enter-initrd\"");

    let whole = userspace.append_to_event_log(&padded).unwrap();
    let log = EventLog::parse(&whole).unwrap();
    let last: Vec<_> = log.events().map(Result::unwrap).filter(|event| event.pcr == 11).collect();
    assert_eq!(last.iter().map(|event| event.data).collect::<Vec<_>>(), words.map(str::as_bytes));
    // The firmware's log has no SHA-1 bank.
    assert!(last.iter().all(|event| event.digests().iter().count() == 1));
}

#[test]
fn a_log_that_ends_early_or_goes_on_is_refused() {
    for log in [in_cbor(), in_json().join("\n").into_bytes(), format!("[{}]", in_json().join(",")).into_bytes()] {
        for length in 1..log.len() {
            let parsed = Log::parse(&log[..length]);
            // Lines may end between two records, and what is left of them are fewer records.
            assert!(parsed.is_err() || parsed.unwrap().entries().len() < 4, "{length}");
        }
        assert!(Log::parse(&[log.as_slice(), b"]"].concat()).is_err());
    }
}

#[test]
fn what_no_record_may_be_is_refused() {
    let good = &in_json()[1];
    for (from, to) in [
        ("\"pcr\":4,", ""),
        ("\"pcr\":4,", "\"pcr\":4,\"nv_index\":1,"),
        ("sha256", "md5"),
        ("626f6f74", "626f6f7"),
        ("EV_ACTION", "EV_NOTHING"),
        ("pcclient_std", "ima_template"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Log::parse(good.replace(from, to).as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Malformed { at: At { record: 0, .. }, .. }), "{error}");
    }
    let digest = format!(r#"{{"hashAlg":"sha256","digest":"{}"}}"#, sha256(b"boot"));
    let twice = good.replace(&digest, &format!("{digest},{digest}"));
    assert!(matches!(Log::parse(twice.as_bytes()), Err(Error::DuplicateAlgorithm { .. })));
}

#[test]
fn logs_of_firmware_and_of_ima_are_not_canonical() {
    assert_eq!(Encoding::of(&Log::parse(&in_cbor()).unwrap().to_event_log().unwrap()), None);
    assert_eq!(Encoding::of(b"10 91f34b5c671d73504b274a919661cf80dab1e127 ima-ng"), None);
    assert_eq!(Encoding::of(&[10, 0, 0, 0, 0xAB]), None);
    assert_eq!(Encoding::of(b""), None);
}

#[test]
fn a_content_deeper_than_any_is_refused() {
    let mut log = in_cbor()[1..].to_vec();
    let content_type = log.iter().rposition(|byte| *byte == 9).unwrap();
    log.truncate(content_type);
    log.extend([9, 0x18, 200, 10]);
    let shallow = [log.as_slice(), &[0x81; 8], &[0]].concat();
    assert!(Log::parse(&shallow).is_ok());
    let deep = [log.as_slice(), &[0x81; 20_000], &[0]].concat();
    assert!(Log::parse(&deep).is_err());
}

#[test]
fn recorded_boots_lead_to_the_same_registers_as_canonical_logs() {
    let Some(folder) = evidence() else { return };
    let mut logs = 0;
    for item in std::fs::read_dir(folder.join("tcg-eventlog")).unwrap() {
        for file in std::fs::read_dir(item.unwrap().path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let Ok(log) = EventLog::parse(&bytes) else { continue };
            // Some firmware announces a bank and never extends it.
            let is_used = |bank: &HashId| log.events().flatten().any(|event| event.digests().find(*bank).is_some());
            let banks: Vec<_> = log.banks().iter().map(|bank| bank.algorithm).filter(is_used).collect();
            let Ok(expected) = log.replay(&banks, &RealHashes) else { continue };
            let records: Vec<String> = log.events().map(|event| as_json(&event.unwrap())).collect();
            let Ok(canonical) = Log::parse(records.join("\n").as_bytes()) else { continue };
            assert_eq!(canonical.replay(&banks, &RealHashes).unwrap(), expected);
            let converted = canonical.to_event_log().unwrap();
            assert_eq!(EventLog::parse(&converted).unwrap().replay(&banks, &RealHashes).unwrap(), expected);
            logs += 1;
        }
    }
    assert!(logs >= 20, "{logs}");
}

fn as_json(event: &crate::tcg::Event<'_>) -> String {
    let digest = |(bank, digest): (HashId, &[u8])| format!(r#"{{"hashAlg":"{bank}","digest":"{}"}}"#, hex(digest));
    let digests: Vec<String> = event.digests().iter().map(digest).collect();
    format!(
        r#"{{"recnum":0,"pcr":{},"digests":[{}],"content_type":"pcclient_std","content":{{"event_type":{},"event_data":"{}"}}}}"#,
        event.pcr,
        digests.join(","),
        event.kind.0,
        hex(event.data)
    )
}

#[test]
fn records_of_an_nv_index_lead_to_its_value_and_to_no_register() {
    let record = |register: &str, byte: &str| {
        let digest = byte.repeat(32);
        format!(
            r#"{{{register},"digests":[{{"hashAlg":"sha256","digest":"{digest}"}}],"content_type":"systemd","content":{{"string":"a"}}}}"#
        )
    };
    let text =
        [record("\"nv_index\":29360129", "aa"), record("\"pcr\":11", "bb"), record("\"nv_index\":29360129", "cc")]
            .join("\n");
    let log = Log::parse(text.as_bytes()).unwrap();
    let value = log.replay_nv_index(0x01C0_0001, HashId::SHA256, &RealHashes).unwrap();
    let once = RealHashes.hash(HashId::SHA256, &[&[0; 32], &[0xAA; 32]]).unwrap();
    assert_eq!(value, RealHashes.hash(HashId::SHA256, &[once.as_bytes(), &[0xCC; 32]]).unwrap());
    assert_eq!(log.replay_nv_index(7, HashId::SHA256, &RealHashes).unwrap().as_bytes(), [0; 32]);
    let bank = &log.replay(&[HashId::SHA256], &RealHashes).unwrap()[0];
    assert_eq!(bank.extended().iter().count(), 1);
}
