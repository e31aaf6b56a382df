// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IMA lists: hand-made entries for each rule, and the lists of the evidence folder.

use std::string::ToString;
use std::vec::Vec;

use super::*;
use crate::testing::{RealHashes, evidence};
use crate::{At, Digest, Error, HashId, Hashes, PcrBank, PcrIndex};

fn field(value: &[u8]) -> Vec<u8> {
    [&u32::try_from(value.len()).unwrap().to_le_bytes(), value].concat()
}

fn entry(template: &str, fields: &[&[u8]]) -> Vec<u8> {
    let data: Vec<u8> = fields.iter().flat_map(|value| field(value)).collect();
    let hash = RealHashes.hash(HashId::SHA1, &[&data]).unwrap();
    [&10_u32.to_le_bytes(), hash.as_bytes(), &field(template.as_bytes()), &field(&data)].concat()
}

fn digest_ng() -> Vec<u8> {
    [b"sha256:\0".as_slice(), &[0x22; 32]].concat()
}

fn only(list: &[u8]) -> Result<Entry<'_>, Error> {
    let mut entries = BinaryList::new(list);
    let entry = entries.next().unwrap();
    assert!(entries.next().is_none());
    entry
}

#[test]
fn an_ima_sig_entry_has_digest_path_and_signature() {
    let list = entry("ima-sig", &[&digest_ng(), b"/bin/sh\0", &[3, 2, 4, 0, 0, 0, 1, 0, 1, 0xAB]]);
    let entry = only(&list).unwrap();
    assert_eq!(entry.digest(), Some(FileDigest { kind: DigestKind::Content, algorithm: "sha256", bytes: &[0x22; 32] }));
    assert_eq!(entry.path(), b"/bin/sh");
    assert_eq!(entry.signature().unwrap().unwrap().key_id, 1);
    assert_eq!(entry.check_template_hash(&RealHashes), Ok(()));
    assert_eq!(entry.pcr.value(), 10);
}

#[test]
fn a_template_hash_of_32_bytes_may_be_that_of_an_sm3_bank() {
    /// Stands for SM3, which is not among the test's hashes, by another function.
    struct WithSm3;
    impl Hashes for WithSm3 {
        fn hash(&self, algorithm: HashId, parts: &[&[u8]]) -> Option<Digest> {
            let parts: Vec<&[u8]> = [b"sm3".as_slice()].into_iter().chain(parts.iter().copied()).collect();
            let is_sm3 = algorithm == HashId::SM3_256;
            RealHashes.hash(if is_sm3 { HashId::SHA256 } else { algorithm }, parts.get(usize::from(!is_sm3)..)?)
        }
    }
    let data = [field(&digest_ng()), field(b"/bin/sh\0")].concat();
    let list = |algorithm| {
        let hash = WithSm3.hash(algorithm, &[&data]).unwrap();
        [&10_u32.to_le_bytes(), hash.as_bytes(), &field(b"ima-ng"), &field(&data)].concat()
    };
    for algorithm in [HashId::SM3_256, HashId::SHA256] {
        let list = list(algorithm);
        let entry = BinaryList::with_hash_size(&list, 32).next().unwrap().unwrap();
        assert_eq!(entry.check_template_hash(&WithSm3), Ok(()));
        assert_eq!(entry.check_template_hash(&RealHashes).is_ok(), algorithm == HashId::SHA256);
    }
}

#[test]
fn ima_ngv2_tells_content_from_verity() {
    let verity = [b"verity:sha256:\0".as_slice(), &[1; 32]].concat();
    let content = [b"ima:sha256:\0".as_slice(), &[1; 32]].concat();
    let unknown = [b"other:sha256:\0".as_slice(), &[1; 32]].concat();
    let kind = |value: &[u8]| only(&entry("ima-ngv2", &[value, b"/a\0"])).map(|entry| entry.digest().unwrap().kind);
    assert_eq!(kind(&verity), Ok(DigestKind::Verity));
    assert_eq!(kind(&content), Ok(DigestKind::Content));
    assert!(matches!(kind(&unknown), Err(Error::Malformed { .. })));
}

#[test]
fn ima_modsig_and_evm_sig_entries_keep_every_field() {
    let list = entry("ima-modsig", &[&digest_ng(), b"/m.ko\0", b"", &digest_ng(), b"PKCS7"]);
    let modsig = only(&list).unwrap();
    assert_eq!(modsig.fields().last(), Some((Field::Modsig, b"PKCS7".as_slice())));

    let list = entry(
        "evm-sig",
        &[&digest_ng(), b"/f\0", b"\x05", b"security.ima\0", &[4, 0, 0, 0], b"abcd", &[0; 4], &[0; 4], &[0xED, 0x81]],
    );
    let evm = only(&list).unwrap();
    assert_eq!(evm.fields().count(), 9);
    assert_eq!(evm.fields().last(), Some((Field::Mode, [0xED, 0x81].as_slice())));
}

#[test]
fn an_unknown_template_fails_closed_with_its_name() {
    let list = entry("ima-\x1bnew", &[&digest_ng(), b"/a\0"]);
    assert_eq!(
        only(&list).unwrap_err(),
        Error::UnknownTemplate { at: At { record: 0, offset: 24 }, name: "ima-\\u{1b}new".to_string() }
    );
}

#[test]
fn a_field_more_a_field_less_and_a_field_too_long_are_refused() {
    let more = entry("ima-ng", &[&digest_ng(), b"/a\0", b""]);
    let less = entry("ima-sig", &[&digest_ng(), b"/a\0"]);
    assert!(matches!(only(&more), Err(Error::Malformed { expected: "the end of the template data", .. })));
    assert!(matches!(only(&less), Err(Error::Truncated { .. })));
    let mut long = entry("ima-ng", &[&digest_ng(), b"/a\0"]);
    let at = long.len() - 7;
    long[at] = 200;
    assert!(matches!(only(&long), Err(Error::TooLong { what: "template field", .. })));
}

#[test]
fn a_name_without_nul_and_a_nul_inside_a_name_are_refused() {
    for name in [b"/a".as_slice(), b"/a\0b\0", b""] {
        let list = entry("ima-ng", &[&digest_ng(), name]);
        assert!(matches!(only(&list), Err(Error::Malformed { .. })), "{name:?}");
    }
}

#[test]
fn a_digest_of_the_wrong_length_for_its_algorithm_is_refused() {
    let short = [b"sha256:\0".as_slice(), &[0x22; 31]].concat();
    let no_nul = [b"sha256:".as_slice(), &[0x22; 32]].concat();
    let no_name = [b":\0".as_slice(), &[0x22; 32]].concat();
    for digest in [short, no_nul, no_name] {
        let list = entry("ima-ng", &[&digest, b"/a\0"]);
        assert!(matches!(only(&list), Err(Error::Malformed { .. })), "{digest:?}");
    }
}

#[test]
fn a_register_beyond_23_is_refused() {
    let mut list = entry("ima-ng", &[&digest_ng(), b"/a\0"]);
    list[0] = 24;
    assert_eq!(only(&list).unwrap_err(), Error::PcrOutOfRange { at: At { record: 0, offset: 0 }, pcr: 24 });
}

#[test]
fn a_list_cut_inside_an_entry_asks_for_more() {
    let one = entry("ima-ng", &[&digest_ng(), b"/a\0"]);
    let list = [one.clone(), one.clone()].concat();
    for length in one.len() + 1..list.len() {
        let entries: Vec<_> = BinaryList::new(&list[..length]).collect();
        assert_eq!(entries.len(), 2);
        assert!(matches!(entries[1], Err(Error::Truncated { at: At { record: 1, .. }, .. })), "{length}");
    }
}

#[test]
fn a_changed_path_no_longer_has_the_lists_hash() {
    let mut list = entry("ima-ng", &[&digest_ng(), b"/bin/true\0"]);
    let last = list.len() - 2;
    list[last] ^= 1;
    assert!(matches!(
        only(&list).unwrap().check_template_hash(&RealHashes),
        Err(Error::TemplateHash { at: At { record: 0, offset: 0 }, .. })
    ));
}

#[test]
fn a_violation_extends_ones_in_every_bank() {
    let mut list = entry("ima-ng", &[&digest_ng(), b"/a\0"]);
    list[4..24].fill(0);
    let entry = only(&list).unwrap();
    assert!(entry.is_violation());
    for (algorithm, size) in [(HashId::SHA1, 20), (HashId::SHA384, 48)] {
        for digests in [TemplateDigests::OfBank, TemplateDigests::PaddedSha1] {
            let extension = entry.extension(algorithm, digests, &RealHashes).unwrap();
            assert_eq!(extension, Digest::filled(0xFF, size).unwrap());
        }
    }
}

#[test]
fn an_old_kernel_extends_sha1_with_zeros_behind_it() {
    let list = entry("ima-ng", &[&digest_ng(), b"/a\0"]);
    let entry = only(&list).unwrap();
    let padded = entry.extension(HashId::SHA256, TemplateDigests::PaddedSha1, &RealHashes).unwrap();
    assert_eq!(padded.as_bytes(), [entry.template_hash, &[0; 12]].concat());
    assert_ne!(padded, entry.extension(HashId::SHA256, TemplateDigests::OfBank, &RealHashes).unwrap());
}

#[test]
fn the_legacy_name_is_hashed_with_padding_to_256_bytes() {
    let mut data = std::vec![0x33; 20];
    data.extend(b"/init");
    data.resize(20 + 256, 0);
    let hash = RealHashes.hash(HashId::SHA1, &[&data]).unwrap();
    let list =
        [&10_u32.to_le_bytes(), hash.as_bytes(), &field(b"ima"), [0x33; 20].as_slice(), &field(b"/init")].concat();
    let entry = only(&list).unwrap();
    assert_eq!(entry.check_template_hash(&RealHashes), Ok(()));
    assert_eq!(entry.fields().collect::<Vec<_>>(), [(Field::Digest, [0x33; 20].as_slice()), (Field::Name, b"/init")]);

    let long = [&10_u32.to_le_bytes(), hash.as_bytes(), &field(b"ima"), [0x33; 20].as_slice(), &field(&[b'a'; 256])];
    assert!(matches!(only(&long.concat()), Err(Error::TooLong { length: 256, limit: 255, .. })));
}

#[test]
fn boot_aggregate_covers_eight_registers_for_sha1_and_ten_for_the_others() {
    let count = |algorithm| AggregateRange::of(algorithm).registers().count();
    assert_eq!((count(HashId::SHA1), count(HashId::SHA256)), (8, 10));
    let bank = PcrBank::at_startup(HashId::SHA256).unwrap();
    assert_eq!(
        boot_aggregate(&bank, AggregateRange::Pcr0To9, &RealHashes).unwrap(),
        RealHashes.hash(HashId::SHA256, &[&[0; 320]]).unwrap()
    );
}

#[test]
fn an_ascii_line_becomes_the_binary_record_it_was_printed_from() {
    let binary = entry("ima-sig", &[&digest_ng(), b"/data/new\nline\0", &[3, 2, 4]]);
    let parsed = only(&binary).unwrap();
    let line = std::format!(
        "10 {} ima-sig sha256:{} /data/new\nline 030204\n",
        crate::Hex(parsed.template_hash),
        crate::Hex(&[0x22; 32])
    );
    let records: Vec<_> = AsciiList::new(line.repeat(2).as_bytes()).map(Result::unwrap).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].as_binary(), binary);
    assert_eq!(records[1].entry().unwrap().at, At { record: 1, offset: line.len() });
}

#[test]
fn an_ascii_line_without_its_fields_is_refused() {
    let hash = "ab".repeat(20);
    for line in [
        "10".to_string(),
        std::format!("10 {hash} ima-ng sha256:aabb"),
        std::format!("10 {hash} ima-ng sha256 /a"),
        std::format!("10 {hash} ima-sig sha256:{} /a 0g", "22".repeat(32)),
        std::format!("99 {hash} ima-ng sha256:{} /a", "22".repeat(32)),
        std::format!("10 {} ima-ng sha256:{} /a", "ab".repeat(21), "22".repeat(32)),
    ] {
        assert!(matches!(AsciiList::new(line.as_bytes()).next(), Some(Err(Error::Malformed { .. }))), "{line}");
    }
    let line = std::format!("10 {hash} ima-9 x /a");
    assert!(matches!(AsciiList::new(line.as_bytes()).next(), Some(Err(Error::UnknownTemplate { .. }))));
}

#[test]
fn a_list_of_newlines_alone_is_read_in_one_pass() {
    let list = std::vec![b'\n'; 1 << 19];
    assert!(matches!(AsciiList::to_binary(&list), Err(Error::Malformed { .. })));
}

#[test]
fn an_ascii_list_of_another_bank_has_no_binary_form() {
    let line = std::format!("10 {} ima-ng sha256:{} /a", "ab".repeat(32), "22".repeat(32));
    assert!(AsciiList::new(line.as_bytes()).next().unwrap().is_ok());
    assert!(matches!(AsciiList::to_binary(line.as_bytes()), Err(Error::Malformed { .. })));
}

#[test]
fn the_recorded_ascii_list_of_826_entries_replays_to_its_register() {
    let Some(evidence) = evidence() else { return };
    let folder = evidence.join("ima/rust-keylime-826");
    let text = std::fs::read(folder.join("ascii_runtime_measurements")).unwrap();
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut bank = PcrBank::at_startup(HashId::SHA1).unwrap();
    let mut entries = 0;
    for record in AsciiList::new(&text) {
        let record = record.unwrap();
        let entry = record.entry().unwrap();
        entry.check_template_hash(&RealHashes).unwrap();
        extend(&mut bank, &entry, TemplateDigests::OfBank, &RealHashes).unwrap();
        entries += 1;
    }
    assert_eq!(entries, expected["entries"].as_u64().unwrap());
    assert_eq!(bank.value(PcrIndex::new(10).unwrap()).to_string(), expected["pcr10_sha1"].as_str().unwrap());
}

#[test]
fn recorded_signatures_have_their_length_and_the_bad_one_has_not() {
    let Some(evidence) = evidence() else { return };
    let vectors: serde_json::Value =
        serde_json::from_slice(&std::fs::read(evidence.join("ima/keylime-ima-sig/vectors.json")).unwrap()).unwrap();
    let lines = |name: &str| vectors[name].as_str().unwrap().as_bytes().to_vec();

    let text = lines("SIGNATURES");
    let mut keys = Vec::new();
    for record in AsciiList::new(&text) {
        let record = record.unwrap();
        record.entry().unwrap().check_template_hash(&RealHashes).unwrap();
        keys.push(record.entry().unwrap().signature().unwrap().unwrap().key_id);
    }
    assert_eq!(keys, [4_081_397_027, 1_394_556_965]);

    let text = lines("BAD_SIGNATURES");
    let bad = AsciiList::new(&text).next().unwrap().unwrap();
    assert!(matches!(bad.entry().unwrap().signature(), Some(Err(Error::Malformed { .. }))));
    assert!(matches!(bad.entry().unwrap().check_template_hash(&RealHashes), Err(Error::TemplateHash { .. })));

    let text = lines("KEYRINGS");
    for record in AsciiList::new(&text) {
        let record = record.unwrap();
        let entry = record.entry().unwrap();
        entry.check_template_hash(&RealHashes).unwrap();
        assert!(entry.buffer().is_some_and(|certificate| certificate.starts_with(&[0x30, 0x82])));
    }
}
