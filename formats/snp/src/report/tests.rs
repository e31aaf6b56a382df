// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports from real processors decode to what the evidence index says about them.

use super::*;
use crate::cert_table::{self, CertTable};
use crate::policy::SigningKey;
use crate::request::ReportResponse;
use proptest::prelude::*;
use serde_json::Value;
use std::format;
use std::path::{Path, PathBuf};
use std::println;
use std::string::{String, ToString as _};
use std::vec::Vec;

fn evidence() -> Option<PathBuf> {
    let folder = std::env::var_os("EVTPM_EVIDENCE")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/evidence"), PathBuf::from);
    if folder.join("index.json").exists() {
        return Some(folder);
    }
    println!("skipped: no evidence folder (EVTPM_EVIDENCE)");
    None
}

fn index(folder: &Path) -> Vec<Value> {
    serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap()
}

fn generation_of(expect: &Value, report: &Report) -> Generation {
    match report.generation() {
        StatedGeneration::Known(generation) => generation,
        other => match expect["generation"].as_str() {
            Some("Turin") => Generation::Turin,
            Some("Genoa") => Generation::Genoa,
            Some("Milan") | None => Generation::Milan,
            Some(name) => panic!("{name} {other:?}"),
        },
    }
}

fn tcb(value: &Value) -> Tcb {
    let level = |name: &str| value[name].as_u64().unwrap() as u8;
    Tcb {
        fmc: value["fmc"].as_u64().map(|fmc| fmc as u8),
        bootloader: level("bl"),
        tee: level("tee"),
        snp: level("snp"),
        microcode: level("ucode"),
    }
}

fn assert_decodes_as(report: &Report, expect: &Value, id: &str) {
    let text = |name: &str| expect[name].as_str().map(String::from);
    let generation = generation_of(expect, report);

    assert_eq!(u64::from(report.version().number()), expect["report_version"], "{id}");
    assert_eq!(u64::from(report.vmpl()), expect["vmpl"], "{id}");
    assert_eq!(u64::from(report.guest_svn()), expect["guest_svn"], "{id}");
    assert_eq!(text("policy"), Some(format!("{:#x}", report.policy().0)), "{id}");
    assert_eq!(report.policy().debug(), expect["policy_debug"], "{id}");
    assert_eq!(text("platform_info"), Some(format!("{:#x}", report.platform_info().0)), "{id}");
    let signer = match report.key_info().signing_key() {
        SigningKey::Vcek => "VCEK",
        SigningKey::Vlek => "VLEK",
        other => panic!("{id}: {other:?}"),
    };
    assert_eq!(signer, expect["signer"], "{id}");
    for (version, name) in [
        (report.current_tcb(), "current_tcb"),
        (report.reported_tcb(), "reported_tcb"),
        (report.committed_tcb(), "committed_tcb"),
        (report.launch_tcb(), "launch_tcb"),
    ] {
        assert_eq!(version.decode(generation), tcb(&expect[name]), "{id} {name}");
    }
    assert_eq!(text("firmware"), Some(report.current_firmware().to_string()), "{id}");
    let fms = report.cpuid().map(|(family, model, stepping)| format!("{family:02x}{model:02x}{stepping:02x}"));
    assert_eq!(text("cpuid_fms"), fms, "{id}");
    assert_eq!(text("measurement"), Some(report.measurement().to_string()), "{id}");
    for (bytes, name) in [
        (&report.report_data()[..], "report_data"),
        (report.host_data(), "host_data"),
        (report.id_key_digest(), "id_key_digest"),
        (report.chip_id(), "chip_id"),
    ] {
        assert_eq!(text(name), Some(hex::encode(bytes)), "{id} {name}");
    }
    if let Some(name) = expect["generation"].as_str() {
        assert_eq!(generation.name(), name, "{id}");
    }
}

#[test]
fn every_real_report_decodes_as_the_index_says() {
    let Some(folder) = evidence() else { return };
    let mut seen = 0;
    for item in index(&folder).iter().filter(|item| item["kind"] == "snp") {
        let id = item["id"].as_str().unwrap();
        let bytes = std::fs::read(folder.join("snp").join(id).join("report.bin")).unwrap();
        let report = Report::parse(&bytes).unwrap();
        assert_eq!(&report.as_bytes()[..], bytes, "{id}");
        assert_decodes_as(&report, &item["expect"], id);
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}

#[test]
fn real_signatures_fit_384_bits_and_leave_the_rest_zero() {
    let Some(folder) = evidence() else { return };
    for item in index(&folder).iter().filter(|item| item["kind"] == "snp") {
        let id = item["id"].as_str().unwrap();
        let bytes = std::fs::read(folder.join("snp").join(id).join("report.bin")).unwrap();
        let report = Report::parse(&bytes).unwrap();
        assert_eq!(report.signature_algorithm(), crate::signature::ECDSA_P384_SHA384, "{id}");
        assert!(report.signature().reserved_is_zero(), "{id}");
        assert!(report.signature().r_be().is_some() && report.signature().s_be().is_some(), "{id}");
    }
}

#[test]
fn a_real_answer_of_the_firmware_gives_its_report() {
    let Some(folder) = evidence() else { return };
    let folder = folder.join("snp/lit-msg-report-rsp");
    let answer = std::fs::read(folder.join("msg_report_rsp.bin")).unwrap();
    let report = std::fs::read(folder.join("report.bin")).unwrap();
    let parsed = ReportResponse::parse(&answer[..ReportResponse::SIZE.min(answer.len())]).unwrap().unwrap();
    assert_eq!(&parsed.as_bytes()[..], report);
}

#[test]
fn a_real_certificate_table_holds_the_chain() {
    let Some(folder) = evidence() else { return };
    let bytes = std::fs::read(folder.join("snp/genoa-v3-tsm/auxblob.bin")).unwrap();
    let table = CertTable::parse(&bytes).unwrap();
    for guid in [cert_table::ARK, cert_table::ASK, cert_table::VCEK] {
        assert!(table.get(guid).unwrap().starts_with(b"-----BEGIN CERTIFICATE-----"), "{guid}");
    }
}

#[test]
fn unknown_versions_are_refused() {
    for version in [0_u32, 1, 6, 7, 0x0200_0000, u32::MAX] {
        let mut bytes = [0; Report::SIZE];
        bytes[..4].copy_from_slice(&version.to_le_bytes());
        assert_eq!(Report::parse(&bytes), Err(Error::Version { what: "attestation report", actual: version }));
    }
}

#[test]
fn one_byte_more_or_less_is_no_report() {
    let bytes = [2; Report::SIZE + 1];
    for size in [0, Report::SIZE - 1, Report::SIZE + 1] {
        assert!(matches!(Report::parse(&bytes[..size]), Err(Error::Length { expected: 0x4a0, .. })), "{size}");
    }
}

#[test]
fn fields_of_a_later_version_are_not_read_in_an_earlier_one() {
    let mut raw = RawReport::zeroed();
    raw.body.version = U32::new(2);
    raw.body.cpuid_family = 0x1a;
    raw.body.launch_mit_vector = U64::new(5);
    let v2 = Report::parse(raw.as_bytes()).unwrap();
    assert_eq!((v2.cpuid(), v2.generation(), v2.launch_mit_vector()), (None, StatedGeneration::NotStated, None));

    raw.body.version = U32::new(5);
    let v5 = Report::parse(raw.as_bytes()).unwrap();
    assert_eq!(v5.generation(), StatedGeneration::Known(Generation::Turin));
    assert_eq!(v5.launch_mit_vector(), Some(5));
}

#[test]
fn an_unknown_processor_is_named_and_not_guessed() {
    let mut raw = RawReport::zeroed();
    raw.body.version = U32::new(3);
    raw.body.cpuid_family = 0x1b;
    raw.body.cpuid_model = 0x02;
    let report = Report::parse(raw.as_bytes()).unwrap();
    assert_eq!(report.generation(), StatedGeneration::Unknown { family: 0x1b, model: 0x02 });
}

proptest! {
    #[test]
    fn random_reports_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), Report::SIZE), version in 0_u8..8) {
        bytes[..4].copy_from_slice(&[version, 0, 0, 0]);
        if let Ok(report) = Report::parse(&bytes) {
            prop_assert_eq!(&report.as_bytes()[..], &bytes[..]);
            prop_assert_eq!(report.signed_bytes(), &bytes[..Report::SIGNED_SIZE]);
            let _ = (format!("{report:?}"), report.generation(), report.key_info().signing_key());
            let _ = (report.signature().r_be(), report.signature().s_be());
        }
    }
}
