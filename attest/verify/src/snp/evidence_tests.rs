// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The world's reports: every item of the evidence folder reaches the verdict that its index states, and no tampered one does.

use std::fs;

use serde::Deserialize;

use super::*;
use crate::recorded::evidence;
use crate::x509::Certificate;

#[derive(Deserialize)]
struct Item {
    kind: String,
    id: String,
    files: Vec<File>,
    expect: Expect,
}

#[derive(Deserialize)]
struct File {
    name: String,
}

#[derive(Deserialize)]
struct Expect {
    snp: Option<Box<ReportExpect>>,
    #[serde(flatten)]
    report: Option<ReportExpect>,
}

#[derive(Deserialize)]
struct ReportExpect {
    generation: String,
    report_version: u32,
    vmpl: u32,
    signer: String,
    guest_svn: u32,
    policy: String,
    policy_debug: bool,
    current_tcb: TcbExpect,
    reported_tcb: TcbExpect,
    committed_tcb: TcbExpect,
    launch_tcb: TcbExpect,
    firmware: String,
    platform_info: String,
    measurement: String,
    report_data: String,
    host_data: String,
    id_key_digest: String,
    chip_id: String,
    signature: Option<String>,
    vek_not_before: Option<String>,
    vek_product: Option<String>,
    vlek_csp_id: Option<String>,
}

#[derive(Deserialize, PartialEq, Debug)]
struct TcbExpect {
    #[serde(default)]
    fmc: Option<u8>,
    bl: u8,
    tee: u8,
    snp: u8,
    ucode: u8,
}

impl From<evtpm_snp::Tcb> for TcbExpect {
    fn from(tcb: evtpm_snp::Tcb) -> Self {
        Self { fmc: tcb.fmc, bl: tcb.bootloader, tee: tcb.tee, snp: tcb.snp, ucode: tcb.microcode }
    }
}

/// One report of the folder with everything that its verification needs.
struct Case {
    name: String,
    report: Vec<u8>,
    collateral: Collateral,
    at: UnixTime,
    expect: ReportExpect,
}

/// Reads every SNP report of the index; the certificates that are said to be invalid are left out.
fn cases() -> Option<Vec<Case>> {
    let folder = evidence()?;
    let items: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut cases = Vec::new();
    for item in items {
        if !["snp", "az-vtpm"].iter().any(|kind| item["kind"] == *kind) {
            continue;
        }
        let item: Item = serde_json::from_value(item).unwrap();
        let Some(expect) = item.expect.snp.map(|snp| *snp).or(item.expect.report) else { continue };
        let directory = folder.join(&item.kind).join(&item.id);
        let mut collateral = authorities(&folder);
        for file in &item.files {
            let bytes = fs::read(directory.join(&file.name)).unwrap();
            match file.name.as_str() {
                "auxblob.bin" => collateral.add_table(&bytes).unwrap(),
                name if name.contains("invalid") => {}
                name => collateral.add_files([(name, bytes.as_slice())]).unwrap(),
            }
        }
        cases.push(Case {
            name: item.id,
            report: fs::read(directory.join("report.bin")).unwrap(),
            collateral,
            at: expect.vek_not_before.as_deref().map_or(UnixTime(1_700_000_000), day_after),
            expect,
        });
    }
    Some(cases)
}

/// The intermediates that a key distribution service would send along.
fn authorities(folder: &std::path::Path) -> Collateral {
    let mut collateral = Collateral::new();
    for product in ["milan", "genoa", "turin"] {
        for key in ["sev", "sev-vlek"] {
            let path = folder.join("amd-ca").join(product).join(format!("{key}-{product}.pem"));
            collateral.add_certificates(&fs::read(path).unwrap()).unwrap();
        }
    }
    collateral
}

/// Reads "2022-09-24 00:55:28+00:00" and adds a day.
fn day_after(text: &str) -> UnixTime {
    let text = format!("{}Z", text.trim_end_matches("+00:00").replace(' ', "T"));
    let moment: der::DateTime = text.parse().unwrap();
    UnixTime(moment.unix_duration().as_secs() + 24 * 60 * 60)
}

#[test]
fn every_real_report_reaches_the_verdict_of_the_index() {
    let Some(cases) = cases() else { return };
    let anchors = Anchors::amd().unwrap();
    assert!(cases.len() >= 19, "only {} reports", cases.len());
    for Case { name, report, collateral, at, expect } in &cases {
        let verdict = verify(report, collateral, &anchors, *at);
        match expect.signature.as_deref() {
            Some("valid") => agrees(name, &verdict.unwrap_or_else(|error| panic!("{name}: {error}")), expect),
            Some(_) => assert!(verdict.is_err(), "{name}"),
            None => assert_eq!(verdict.unwrap_err(), Error::MissingEndorsementKey { kind: "VCEK" }, "{name}"),
        }
    }
}

fn agrees(name: &str, claims: &SnpClaims, expect: &ReportExpect) {
    let report = &claims.report;
    assert_eq!(claims.generation.name(), expect.generation, "{name}");
    assert_eq!(report.version().number(), expect.report_version, "{name}");
    assert_eq!(report.vmpl(), expect.vmpl, "{name}");
    assert_eq!(report.guest_svn(), expect.guest_svn, "{name}");
    assert_eq!(format!("{:#x}", report.policy().0), expect.policy, "{name}");
    assert_eq!(report.policy().debug(), expect.policy_debug, "{name}");
    assert_eq!(TcbExpect::from(claims.current_tcb()), expect.current_tcb, "{name}");
    assert_eq!(TcbExpect::from(claims.reported_tcb()), expect.reported_tcb, "{name}");
    assert_eq!(TcbExpect::from(claims.committed_tcb()), expect.committed_tcb, "{name}");
    assert_eq!(TcbExpect::from(claims.launch_tcb()), expect.launch_tcb, "{name}");
    assert_eq!(report.current_firmware().to_string(), expect.firmware, "{name}");
    assert_eq!(format!("{:#x}", report.platform_info().0), expect.platform_info, "{name}");
    assert_eq!(hex::encode(report.measurement().0), expect.measurement, "{name}");
    assert_eq!(hex::encode(report.report_data()), expect.report_data, "{name}");
    assert_eq!(hex::encode(report.host_data()), expect.host_data, "{name}");
    assert_eq!(hex::encode(report.id_key_digest()), expect.id_key_digest, "{name}");
    assert_eq!(hex::encode(report.chip_id()), expect.chip_id, "{name}");
    assert_eq!(Some(&claims.product_name), expect.vek_product.as_ref(), "{name}");
    match &claims.signer {
        Signer::Chip { id } => assert_eq!((expect.signer.as_str(), hex::encode(id)), ("VCEK", expect.chip_id.clone())),
        Signer::Provider { csp_id } => {
            assert_eq!((expect.signer.as_str(), Some(csp_id)), ("VLEK", expect.vlek_csp_id.as_ref()));
        }
    }
}

#[test]
fn an_expired_vlek_is_refused_with_the_date() {
    let Some(cases) = cases() else { return };
    let case = cases.iter().find(|case| case.name == "milan-v3-vlek-aws-vmpl1").unwrap();
    let verdict = verify(&case.report, &case.collateral, &Anchors::amd().unwrap(), UnixTime(1_790_000_000));
    assert!(matches!(verdict, Err(Error::Expired { ref of, .. }) if of == "SEV-VLEK"), "{verdict:?}");
}

#[test]
fn certificates_that_no_authority_signed_are_refused() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("snp/milan-v2-azure-trustee");
    let report = fs::read(item.join("report.bin")).unwrap();
    for name in ["vcek-invalid-legacy.der", "vcek-invalid-new.der"] {
        let mut collateral = authorities(&folder);
        collateral.add_certificates(&fs::read(item.join(name)).unwrap()).unwrap();
        let verdict = verify(&report, &collateral, &Anchors::amd().unwrap(), UnixTime(1_700_000_000));
        assert!(
            matches!(verdict, Err(Error::MissingIssuer { .. } | Error::BadSignature { .. })),
            "{name}: {verdict:?}"
        );
    }
}

#[test]
fn a_lone_vcek_finds_its_pinned_intermediate() {
    let Some(folder) = evidence() else { return };
    let item = folder.join("snp/milan-v2-virtee");
    let mut collateral = Collateral::new();
    collateral.add_certificates(&fs::read(item.join("vcek.der")).unwrap()).unwrap();
    let report = fs::read(item.join("report.bin")).unwrap();
    assert!(verify(&report, &collateral, &Anchors::amd().unwrap(), UnixTime(1_700_000_000)).is_ok());
}

#[test]
fn amds_genoa_list_revokes_none_of_the_current_chain() {
    let Some(cases) = cases() else { return };
    let Some(folder) = evidence() else { return };
    let list = fs::read(folder.join("amd-crl/genoa/genoa.crl.pem")).unwrap();
    let case = cases.iter().find(|case| case.name == "genoa-v5-oak").unwrap();
    let mut collateral = case.collateral.clone();
    collateral.add_revocation_lists(&list).unwrap();
    let verified = verify(&case.report, &collateral, &Anchors::amd().unwrap(), case.at).unwrap();
    let next_update = UnixTime(1_762_131_600);
    assert_eq!(verified.revocation, crate::x509::Revocation::Checked { next_update: Some(next_update) });
}

#[test]
fn a_vcek_with_the_root_of_another_generation_is_refused() {
    let Some(folder) = evidence() else { return };
    let mut collateral = Collateral::new();
    collateral.add_certificates(&fs::read(folder.join("amd-ca/genoa/sev-genoa.pem")).unwrap()).unwrap();
    collateral.add_certificates(&fs::read(folder.join("snp/turin-v5-aci/vcek.pem")).unwrap()).unwrap();
    let report = fs::read(folder.join("snp/milan-v2-virtee/report.bin")).unwrap();
    let verdict = verify(&report, &collateral, &Anchors::amd().unwrap(), UnixTime(1_780_000_000));
    assert!(verdict.is_err());
}

#[test]
fn azures_reports_bind_their_runtime_claims_and_no_others() {
    let Some(cases) = cases() else { return };
    let Some(folder) = evidence() else { return };
    let anchors = Anchors::amd().unwrap();
    let mut bound = 0;
    for case in &cases {
        let Ok(claims) = fs::read(folder.join("az-vtpm").join(&case.name).join("runtime-claims.json")) else {
            continue;
        };
        let Ok(report) = verify(&case.report, &case.collateral, &anchors, case.at) else { continue };
        crate::evtpm::check_azure_runtime_claims(&report, &claims).unwrap();
        let mut other = claims.clone();
        other[0] ^= 1;
        assert!(crate::evtpm::check_azure_runtime_claims(&report, &other).is_err(), "{}", case.name);
        bound += 1;
    }
    assert_eq!(bound, 4);
}

#[test]
fn truncated_certificates_and_tables_are_refused_without_a_panic() {
    let Some(folder) = evidence() else { return };
    let table = fs::read(folder.join("snp/genoa-v3-tsm/auxblob.bin")).unwrap();
    for length in 1..table.len() {
        // A table cut behind its last certificate is whole; anything shorter is not.
        let whole = Collateral::new().add_table(&table[..length]).is_ok();
        assert!(!whole || table[length..].iter().all(|byte| *byte == 0), "{length} bytes");
    }
    let vek = fs::read(folder.join("snp/milan-v3-oak/vcek.der")).unwrap();
    for length in 0..vek.len() {
        assert!(Certificate::from_der(&vek[..length]).is_err(), "{length} bytes");
    }
    assert!(Certificate::from_der(&[vek.as_slice(), &[0]].concat()).is_err());
}
