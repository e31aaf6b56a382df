// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `snp`: SEV-SNP reports with their endorsement keys, certificate tables, firmware answers and container endorsements.

use anyhow::{Context, Result};
use base64::Engine;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_evidence::uvm::Endorsement;
use evtpm_snp::request::ReportResponse;
use evtpm_snp::{Generation, Report, StatedGeneration, TcbVersion};
use evtpm_verify::snp::{Anchors, Collateral, EndorsementKey, Signer, SnpClaims, VekKind, verify, verify_with};
use evtpm_verify::x509::Certificate;
use evtpm_verify::{Error, Root, UnixTime, Verified, endorsement};
use serde::Deserialize;

use super::{DAY, moment, shown};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, demands_refusal, is_bad};
use crate::output::hex;

/// What the index may expect of a report and of its endorsement key.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Expect {
    generation: Option<String>,
    report_version: Option<u32>,
    vmpl: Option<u32>,
    signer: Option<String>,
    guest_svn: Option<u32>,
    policy: Option<String>,
    policy_debug: Option<bool>,
    current_tcb: Option<Tcb>,
    reported_tcb: Option<Tcb>,
    committed_tcb: Option<Tcb>,
    launch_tcb: Option<Tcb>,
    firmware: Option<String>,
    cpuid_fms: Option<String>,
    platform_info: Option<String>,
    measurement: Option<String>,
    report_data: Option<String>,
    host_data: Option<String>,
    id_key_digest: Option<String>,
    author_key_digest: Option<String>,
    family_id: Option<String>,
    image_id: Option<String>,
    report_id: Option<String>,
    report_id_ma: Option<String>,
    committed_firmware: Option<String>,
    chip_id: Option<String>,
    signature: Option<String>,
    chain: Option<String>,
    vek_not_before: Option<String>,
    vek_not_after: Option<String>,
    vek_tcb_equals_reported: Option<bool>,
    vek_hwid_equals_chip_id: Option<bool>,
    vek_product: Option<String>,
    vlek_csp_id: Option<String>,
    notes: Option<String>,
}

impl Expect {
    /// Tells whether the index says that the signature is valid.
    pub(super) fn is_valid(&self) -> bool {
        self.signature.as_deref() == Some("valid")
    }
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Tcb {
    fmc: Option<u8>,
    bl: u8,
    tee: u8,
    snp: u8,
    ucode: u8,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let received = store.stem("report")?;
    let is_refused = is_bad(&item.id) || demands_refusal(expect.notes.as_deref());
    if expect.signature.is_none() && expect.report_version.is_none() && is_refused {
        findings.refused("report", verified(received, store)?);
        return Ok(());
    }
    check_report(received, &expect, store, findings)?;
    check_bad_reports(store, findings)?;
    if Report::parse(received).is_err() {
        return Ok(());
    }
    check_bad_certificates(received, store, findings)?;
    check_table(received, store, findings)?;
    check_answer(received, store, findings)?;
    check_container(received, store, findings)
}

/// Compares a report, its endorsement keys and their chains with what is expected.
pub(super) fn check_report(received: &[u8], expect: &Expect, store: &Store, findings: &mut Findings) -> Result<()> {
    let Some(report) = findings.read("report", expect.signature.as_deref().unwrap_or("valid"), Report::parse(received))
    else {
        return Ok(());
    };
    let keys = endorsement_keys(&report, store, findings)?;
    let expected = expect.signature.as_deref();
    let Some((first, _)) = keys.first() else {
        compare_report(&report, None, expect, findings);
        let verdict = verify(received, &Collateral::new(), &Anchors::amd()?, UnixTime(1_700_000_000));
        match expected {
            Some(expected) => findings.holds("signature not checkable", expected != "valid"),
            None => findings.not_checkable("the signature: no endorsement key is in the item"),
        }
        findings.refused("without certificate", verdict);
        return Ok(());
    };
    compare_report(&report, Some(first), expect, findings);
    compare_key(&report, first, expect, findings);
    for (n, (key, at)) in keys.iter().enumerate() {
        let what = if n == 0 { "signature".to_owned() } else { format!("signature by certificate {}", n + 1) };
        findings.verdict(&what, expected.unwrap_or("valid"), verify_with(received, key, *at));
    }
    if let Some(text) = &expect.vek_not_before {
        findings.equal(
            "chain at the moment of the index",
            &Some(moment(text)?.0 + DAY),
            &keys.first().map(|(_, at)| at.0),
        );
    }
    Ok(())
}

/// Every certificate beside the report that is not said to be bad.
fn collateral(store: &Store) -> Result<Collateral> {
    let mut collateral = Collateral::new();
    for (name, bytes) in store.files().filter(|(name, _)| is_certificate(name) && !is_bad(name)) {
        collateral.add_certificates(bytes).with_context(|| name.to_owned())?;
    }
    Ok(collateral)
}

/// Verifies the chain of every endorsement key beside the report, a day after its certificate begins to be valid.
fn endorsement_keys(
    report: &Report,
    store: &Store,
    findings: &mut Findings,
) -> Result<Vec<(EndorsementKey, UnixTime)>> {
    let collateral = collateral(store)?;
    let mut found = Vec::new();
    for (_, bytes) in store.files().filter(|(name, _)| is_certificate(name) && !is_bad(name)) {
        found.extend(Certificate::all_from(bytes)?);
    }
    let anchors = Anchors::amd()?;
    let wanted = VekKind::of_report(report).ok();
    let mut keys = Vec::new();
    for certificate in found.iter().filter(|found| wanted.is_some() && VekKind::of_certificate(found) == wanted) {
        let at = UnixTime(certificate.validity().0.0 + DAY);
        let verdict = EndorsementKey::verify(certificate, &collateral, &anchors, at);
        keys.extend(findings.accepted("chain", verdict).map(|key| (key, at)));
    }
    Ok(keys)
}

fn compare_report(report: &Report, key: Option<&EndorsementKey>, expect: &Expect, findings: &mut Findings) {
    let stated = match report.generation() {
        StatedGeneration::Known(generation) => Some(generation),
        StatedGeneration::NotStated | StatedGeneration::Unknown { .. } => None,
    };
    // A version 2 report states no generation, and both generations that made them have one TCB layout.
    let generation = stated.or(key.map(EndorsementKey::generation)).unwrap_or(Generation::Milan);
    let tcb = |version: TcbVersion| {
        let tcb = version.decode(generation);
        Tcb { fmc: tcb.fmc, bl: tcb.bootloader, tee: tcb.tee, snp: tcb.snp, ucode: tcb.microcode }
    };
    let (body, cpuid) = (report.body(), report.cpuid());
    if let Some(expected) = &expect.generation {
        findings.holds(&format!("generation {expected}"), names(expected, generation, cpuid));
    }
    findings.equal_if("version", expect.report_version.as_ref(), &body.version.get());
    findings.equal_if("vmpl", expect.vmpl.as_ref(), &report.vmpl());
    findings.equal_if("signer", expect.signer.as_ref(), &signer(report));
    findings.equal_if("guest svn", expect.guest_svn.as_ref(), &report.guest_svn());
    findings.equal_if("policy", expect.policy.as_ref(), &format!("{:#x}", report.policy().0));
    findings.equal_if("debug", expect.policy_debug.as_ref(), &report.policy().debug());
    findings.equal_if("current tcb", expect.current_tcb.as_ref(), &tcb(report.current_tcb()));
    findings.equal_if("reported tcb", expect.reported_tcb.as_ref(), &tcb(report.reported_tcb()));
    findings.equal_if("committed tcb", expect.committed_tcb.as_ref(), &tcb(report.committed_tcb()));
    findings.equal_if("launch tcb", expect.launch_tcb.as_ref(), &tcb(report.launch_tcb()));
    findings.equal_if("firmware", expect.firmware.as_ref(), &report.current_firmware().to_string());
    let fms = cpuid.map(|(family, model, stepping)| format!("{family:02x}{model:02x}{stepping:02x}"));
    if expect.cpuid_fms.is_some() {
        findings.equal("cpuid", &expect.cpuid_fms, &fms);
    }
    findings.equal_if("platform info", expect.platform_info.as_ref(), &format!("{:#x}", report.platform_info().0));
    findings.equal_if("measurement", expect.measurement.as_ref(), &hex(&report.measurement().0));
    findings.equal_if("report data", expect.report_data.as_ref(), &hex(report.report_data()));
    findings.equal_if("host data", expect.host_data.as_ref(), &hex(report.host_data()));
    findings.equal_if("id key digest", expect.id_key_digest.as_ref(), &hex(report.id_key_digest()));
    findings.equal_if("author key digest", expect.author_key_digest.as_ref(), &hex(report.author_key_digest()));
    findings.equal_if("family id", expect.family_id.as_ref(), &hex(&report.family_id()));
    findings.equal_if("image id", expect.image_id.as_ref(), &hex(&report.image_id()));
    findings.equal_if("report id", expect.report_id.as_ref(), &hex(report.report_id()));
    findings.equal_if("report id of the agent", expect.report_id_ma.as_ref(), &hex(report.report_id_ma()));
    let committed = report.committed_firmware().to_string();
    findings.equal_if("committed firmware", expect.committed_firmware.as_ref(), &committed);
    findings.equal_if("chip id", expect.chip_id.as_ref(), &hex(report.chip_id()));
}

/// Tells whether the index means this generation: Bergamo and Siena are of Genoa's line.
fn names(expected: &str, generation: Generation, cpuid: Option<(u8, u8, u8)>) -> bool {
    let dense = matches!(cpuid, Some((0x19, 0xa0..=0xaf, _)));
    expected.contains(generation.name())
        || dense && ["Bergamo", "Siena", "Zen4c"].iter().any(|name| expected.contains(name))
}

fn signer(report: &Report) -> String {
    VekKind::of_report(report).map_or_else(|_| "none".to_owned(), |kind| kind.name().to_owned())
}

fn compare_key(report: &Report, key: &EndorsementKey, expect: &Expect, findings: &mut Findings) {
    let (from, until) = key.certificate_validity();
    findings.equal_if("certificate begins", expect.vek_not_before.as_ref(), &shown(from));
    findings.equal_if("certificate ends", expect.vek_not_after.as_ref(), &shown(until));
    findings.equal_if("certified tcb", expect.vek_tcb_equals_reported.as_ref(), &(key.tcb() == report.reported_tcb()));
    findings.equal_if("product", expect.vek_product.as_ref(), &key.product_name().to_owned());
    match key.signer() {
        Signer::Chip { id } => {
            findings.equal_if("certified chip", expect.vek_hwid_equals_chip_id.as_ref(), &(report.chip_id() == &id));
        }
        Signer::Provider { csp_id } => findings.equal_if("provider", expect.vlek_csp_id.as_ref(), &csp_id),
    }
    if let (Some(expected), Root::Amd(product)) = (&expect.chain, key.root()) {
        let (kind, line) = (key.kind().name(), if key.kind() == VekKind::Vlek { "VLEK-" } else { "" });
        findings.equal("names of the chain", expected, &format!("ARK-{product} > SEV-{line}{product} > SEV-{kind}"));
    }
}

fn is_certificate(name: &str) -> bool {
    [".der", ".pem", ".crt", ".cer"].iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
}

/// Verifies a report with all that lies beside it.
pub(super) fn verified(report: &[u8], store: &Store) -> Result<Result<Verified<SnpClaims>, Error>> {
    let collateral = collateral(store)?;
    let at = collateral.endorsement_keys_begin().map_or(UnixTime(0), |at| UnixTime(at.0 + DAY));
    Ok(verify(report, &collateral, &Anchors::amd()?, at))
}

/// Reports whose name says that they are bad are not believed.
fn check_bad_reports(store: &Store, findings: &mut Findings) -> Result<()> {
    for (name, bytes) in store.files().filter(|(name, _)| name.contains("report") && is_bad(name)) {
        findings.refused(name, verified(bytes, store)?);
    }
    Ok(())
}

/// Certificates whose name says that they are bad vouch for nothing.
fn check_bad_certificates(received: &[u8], store: &Store, findings: &mut Findings) -> Result<()> {
    for (name, bytes) in store.files().filter(|(name, _)| is_certificate(name) && is_bad(name)) {
        let mut collateral = Collateral::new();
        let at = Certificate::all_from(bytes).ok().and_then(|all| Some(UnixTime(all.first()?.validity().0.0 + DAY)));
        let verdict = collateral
            .add_certificates(bytes)
            .and_then(|()| Anchors::amd())
            .and_then(|anchors| verify(received, &collateral, &anchors, at.unwrap_or(UnixTime(1_700_000_000))));
        findings.refused(name, verdict);
    }
    Ok(())
}

/// A certificate table has to suffice for the report that it came with.
fn check_table(received: &[u8], store: &Store, findings: &mut Findings) -> Result<()> {
    let Some(table) = store.find("auxblob.bin") else { return Ok(()) };
    let mut collateral = Collateral::new();
    if findings.accepted("certificate table", collateral.add_table(table)).is_none() {
        return Ok(());
    }
    let Some(at) = collateral.endorsement_keys_begin() else {
        findings.not_checkable("the certificate table holds no endorsement key");
        return Ok(());
    };
    let verdict = verify(received, &collateral, &Anchors::amd()?, UnixTime(at.0 + DAY));
    findings.accepted("report by the certificate table alone", verdict);
    Ok(())
}

/// The firmware's answer carries the report.
fn check_answer(received: &[u8], store: &Store, findings: &mut Findings) -> Result<()> {
    let Some(answer) = store.find("msg_report_rsp.bin") else { return Ok(()) };
    let payload = answer.get(..0x20 + Report::SIZE).unwrap_or(answer);
    let report = ReportResponse::parse(payload)?;
    findings.holds("firmware's answer", report.is_ok_and(|report| report.as_bytes() == received));
    Ok(())
}

/// An Azure container: HOST_DATA is the digest of its security policy, REPORT_DATA begins with that of its runtime data.
fn check_container(received: &[u8], store: &Store, findings: &mut Findings) -> Result<()> {
    let report = Report::parse(received)?;
    let sha256 = |bytes: &[u8]| RustCrypto::hash(HashAlg::Sha256, &[bytes]);
    if let Some(text) = store.find("security_policy.base64.txt") {
        let policy = base64::engine::general_purpose::STANDARD.decode(text.trim_ascii())?;
        findings.holds("host data is the policy's digest", report.host_data() == sha256(&policy).as_bytes());
    }
    if let Some(data) = store.find("runtime_data.json") {
        findings.holds(
            "report data is the runtime data's digest",
            report.report_data().starts_with(sha256(data).as_bytes()),
        );
    }
    if let Some(message) = store.ending(".cose") {
        check_endorsement(&report, message, findings);
    }
    Ok(())
}

/// The issuer that Azure's container hosts are endorsed by.
const ISSUER: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2";

/// The endorsement names the launch measurement of the report; its leaf lives one year.
fn check_endorsement(report: &Report, message: &[u8], findings: &mut Findings) {
    let Some(parsed) = findings.accepted("launch endorsement", Endorsement::parse(message)) else { return };
    let leaf = parsed.envelope.x5chain().ok().and_then(|chain| Certificate::from_der(chain.first()?).ok());
    let at = leaf.map_or(UnixTime(0), |leaf| UnixTime(leaf.validity().0.0 + DAY));
    findings.refused("launch endorsement by another issuer", endorsement::verify(&parsed, "did:x509:other", at));
    let verified = endorsement::verify(&parsed, ISSUER, at);
    if let Some(endorsed) = findings.accepted("signature of the launch endorsement", verified) {
        findings.equal("endorsed measurement", &endorsed.launch_measurement, &hex(&report.measurement().0));
    }
}
