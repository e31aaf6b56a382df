// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Truncations and trailing bytes over the world's evidence: for every kind of the index, none panics, and each is refused or
//! cut where docs/EVIDENCE.md says that it is.

use std::collections::BTreeSet;
use std::fs;

use evtpm_evidence::csv::{AuthorityCertificate, Evidence, PlatformCertificate, Report as CsvReport, Version};
use evtpm_evidence::rim::Manifest;
use evtpm_evidence::{cca, corim, hcl, nitro, pcs, psa, quote, s390, spdm, uvm};
use evtpm_logs::cel;
use evtpm_logs::ima::{AsciiList, BinaryList};
use evtpm_logs::tcg::EventLog;
use evtpm_snp::cert_table::CertTable;
use evtpm_tpm_wire::{Supported, TpmsAttest, TpmtSignature, from_bytes};

use crate::recorded::{Item, evidence, items};
use crate::x509::{Certificate, Crl};

/// Tells whether bytes are the whole of something.
type Parses = fn(&[u8]) -> bool;

/// What becomes of a shorter or longer file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// Every other length is refused.
    Exactly,
    /// Bytes may follow, which are cut off or have to be padding; what is shorter than the whole is refused.
    WithPadding,
    /// It is a list: what ends between two elements is a shorter list, which something else has to prove whole.
    AsList,
    /// JSON: white space may follow.
    AsText,
}

/// A kind of the index, the end of a file's name, how the file is read, and how it ends.
type Row = (&'static str, &'static str, Parses, Ends);

const TABLE: &[Row] = &[
    ("amd-ca", ".pem", certificates, Ends::AsList),
    ("amd-crl", ".der", |bytes| Crl::from_der(bytes).is_ok(), Ends::Exactly),
    ("amd-crl", ".pem", |bytes| Crl::all_from(bytes).is_ok_and(|lists| !lists.is_empty()), Ends::AsList),
    ("arm-cca", "token.cbor", |bytes| cca::Token::parse(bytes).is_ok(), Ends::Exactly),
    ("arm-psa", "token.cbor", |bytes| psa::Token::parse(bytes).is_ok(), Ends::Exactly),
    ("az-vtpm", "hcl-report.bin", |bytes| hcl::HclReport::parse(bytes).is_ok(), Ends::WithPadding),
    ("az-vtpm", "td-quote.bin", quote_prefix, Ends::WithPadding),
    ("az-vtpm", ".msg", attestation, Ends::Exactly),
    ("ccel", "ccel.bin", event_log, Ends::AsList),
    ("ccel", "eventlog-unpadded.bin", event_log, Ends::AsList),
    ("corim", ".cbor", |bytes| corim::Corim::parse(bytes).is_ok(), Ends::Exactly),
    ("csv", ".json", |bytes| Evidence::parse(bytes).is_ok(), Ends::AsText),
    ("dcap", "quote.bin", |bytes| quote::Quote::parse(bytes).is_ok(), Ends::Exactly),
    ("dcap", "quote.bin", quote_prefix, Ends::WithPadding),
    ("dcap-collateral", "_response.json", pcs_answer, Ends::AsText),
    ("dcap-collateral", ".der", |bytes| Crl::from_der(bytes).is_ok(), Ends::Exactly),
    ("ima", "ascii_runtime_measurements", ascii_list, Ends::AsList),
    ("nitro", "document.cbor", |bytes| nitro::Document::parse(bytes).is_ok(), Ends::Exactly),
    ("nvidia", "spdm-report.bin", |bytes| spdm::Report::parse(bytes).is_ok(), Ends::Exactly),
    ("nvidia", "spdm-report.bin", |bytes| spdm::Report::parse_prefix(bytes).is_ok(), Ends::WithPadding),
    ("nvidia", "cert-chain.pem", certificates, Ends::AsList),
    ("nvidia-ca", ".pem", certificates, Ends::AsList),
    ("nvidia-rim", ".xml", |bytes| Manifest::parse(bytes).is_ok(), Ends::AsText),
    ("nvidia-rim", ".swidtag", |bytes| Manifest::parse(bytes).is_ok(), Ends::AsText),
    ("s390-se", "full.bin", exchange, Ends::Exactly),
    ("s390-se", "_req.bin", exchange, Ends::Exactly),
    ("s390-se", "_resp.bin", exchange, Ends::Exactly),
    ("s390-se", "arcb.bin", |bytes| s390::request_sizes(bytes).is_ok(), Ends::Exactly),
    ("s390-se", ".hdr", |bytes| s390::ImageHeader::parse(bytes).is_ok(), Ends::Exactly),
    ("snp", "report.bin", |bytes| evtpm_snp::Report::parse(bytes).is_ok(), Ends::Exactly),
    ("snp", "vcek.der", |bytes| Certificate::from_der(bytes).is_ok(), Ends::Exactly),
    ("snp", "auxblob.bin", |bytes| CertTable::parse(bytes).is_ok_and(|table| !table.is_empty()), Ends::WithPadding),
    ("snp", ".cose", |bytes| uvm::Endorsement::parse(bytes).is_ok(), Ends::Exactly),
    ("tcg-eventlog", "eventlog.bin", event_log, Ends::AsList),
    ("tpm-ek-ca", "GS_TPM_RT.pem", certificates, Ends::AsList),
    ("tpm-quote", "quote.msg", attestation, Ends::Exactly),
    ("tpm-quote", "akcert_0x01C101D0.der", |bytes| Certificate::from_der(bytes).is_ok(), Ends::Exactly),
    ("tpm-quote", "eventlog.bin", event_log, Ends::AsList),
];

/// Kinds without a file whose parser belongs to this crate: launch measurements are inputs of `evtpm-measure`, and result tokens are
/// JSON for `evtpm-result`, which has tests of its own.
const ELSEWHERE: [&str; 2] = ["launch-measurement", "result-token"];

fn certificates(bytes: &[u8]) -> bool {
    Certificate::all_from(bytes).is_ok_and(|all| !all.is_empty())
}

fn quote_prefix(bytes: &[u8]) -> bool {
    quote::Quote::parse_prefix(bytes).is_ok()
}

fn pcs_answer(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| pcs::Answer::parse(text).is_ok())
}

fn exchange(bytes: &[u8]) -> bool {
    s390::Exchange::parse(bytes).is_ok()
}

fn attestation(bytes: &[u8]) -> bool {
    from_bytes::<TpmsAttest<'_>>(bytes, &Supported::ALL).is_ok()
}

fn signature(bytes: &[u8]) -> bool {
    from_bytes::<TpmtSignature>(bytes, &Supported::ALL).is_ok()
}

fn event_log(bytes: &[u8]) -> bool {
    EventLog::parse(bytes).is_ok_and(|log| {
        log.events().all(|event| {
            event.is_ok_and(|event| {
                let _meaning = event.decode();
                true
            })
        })
    })
}

fn ascii_list(bytes: &[u8]) -> bool {
    AsciiList::new(bytes).all(|record| record.is_ok_and(|record| record.entry().is_ok()))
}

fn binary_list(bytes: &[u8]) -> bool {
    BinaryList::new(bytes).all(|entry| entry.is_ok_and(|entry| entry.fields().count() > 0))
}

/// The lengths that are tried of a file: all of them, or of a long one some hundred, close together at both ends.
fn lengths(size: usize) -> Vec<usize> {
    let step = (size / 400).max(1);
    let ends = (0..size.min(200)).chain(size.saturating_sub(200)..size);
    ends.chain((0..size).step_by(step)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn check(name: &str, bytes: &[u8], parses: Parses, ends: Ends) {
    let longer = |byte: u8| [bytes, &[byte]].concat();
    let accepted: Vec<usize> = lengths(bytes.len()).into_iter().filter(|length| parses(&bytes[..*length])).collect();
    if !parses(bytes) {
        // What an item keeps as bad, or with a stray byte behind it: a part may be good, and no more than one.
        assert!(ends != Ends::Exactly || accepted.len() <= 1, "{name}: {accepted:?}");
        return;
    }
    match ends {
        Ends::Exactly => {
            assert!(accepted.is_empty(), "{name}: {accepted:?}");
            assert!(!parses(&longer(0)) && !parses(&longer(0xFF)), "{name}: a trailing byte is accepted");
        }
        // Whoever is shorter than what is parsed is refused, and the padding has no other meaning.
        Ends::WithPadding => {
            let shortest = accepted.first().copied().unwrap_or(bytes.len());
            let refused =
                lengths(bytes.len()).into_iter().filter(|length| *length > shortest && !parses(&bytes[..*length]));
            assert_eq!(refused.count(), 0, "{name}: refused above {shortest}");
        }
        Ends::AsText => {
            let whole = bytes.trim_ascii_end().len();
            assert!(accepted.iter().all(|length| *length >= whole), "{name}: {accepted:?}");
            assert!(!parses(&longer(b'x')), "{name}: a trailing byte is accepted");
        }
        Ends::AsList => assert!(accepted.len() < lengths(bytes.len()).len(), "{name}: nothing is refused"),
    }
}

/// The files of the index: kind, name, bytes.
fn files() -> Vec<(String, String, Vec<u8>)> {
    let named = |Item { kind, id, files }: Item| {
        files.into_iter().map(move |(name, bytes)| (kind.clone(), format!("{id}/{name}"), bytes))
    };
    items().into_iter().flat_map(named).collect()
}

#[test]
fn every_kind_of_the_index_is_cut_and_lengthened() {
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let files = files();
    for (kind, name, bytes) in &files {
        for (number, (_, ending, parses, ends)) in
            TABLE.iter().enumerate().filter(|(_, row)| row.0 == kind && name.ends_with(row.1))
        {
            check(&format!("{kind}/{name} {ending}"), bytes, *parses, *ends);
            seen.insert(number);
        }
        let known = TABLE.iter().any(|row| row.0 == kind) || ELSEWHERE.contains(&kind.as_str());
        assert!(known, "nothing of kind {kind} is cut");
    }
    assert!(files.is_empty() || seen.len() == TABLE.len(), "rows without a file: {seen:?}");
}

#[test]
fn quotes_and_lists_of_the_recorded_boots_are_cut_and_lengthened() {
    let mut attestations = 0;
    for snapshot in crate::recorded::snapshots() {
        for quote in snapshot.quotes() {
            check(&format!("{} message", snapshot.name), &quote.message, attestation, Ends::Exactly);
            check(&format!("{} signature", snapshot.name), &quote.signature, signature, Ends::Exactly);
            attestations += 1;
        }
    }
    assert!(attestations == 0 || attestations > 30, "{attestations}");
    let Some(root) = evidence() else { return };
    let list = fs::read(root.join("vm-boot/tmpl-sigv2/boot/ima.bin"));
    check("vm-boot ima.bin", &list.unwrap(), binary_list, Ends::AsList);
}

#[test]
fn hygons_structures_end_where_they_end() {
    for (_, name, bytes) in files().into_iter().filter(|(kind, name, _)| kind == "csv" && name.ends_with(".json")) {
        let evidence = Evidence::parse(&bytes).unwrap();
        check(&name, &evidence.platform, |bytes| PlatformCertificate::parse(bytes).is_ok(), Ends::Exactly);
        let report: Parses = |bytes| CsvReport::parse(Version::V1, bytes).is_ok();
        check(&name, &evidence.page, report, Ends::WithPadding);
        assert!(AuthorityCertificate::parse(&evidence.platform).is_err());
    }
}

#[test]
fn canonical_logs_end_between_two_records() {
    for (_, name, bytes) in files().into_iter().filter(|(_, name, _)| name.ends_with("cel.base64.txt")) {
        use base64::Engine as _;
        let text: Vec<u8> = bytes.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let log = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        check(&name, &log, |bytes| cel::Log::parse(bytes).is_ok(), Ends::AsList);
    }
}
