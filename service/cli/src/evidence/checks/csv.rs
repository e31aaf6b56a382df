// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `csv`: reports of Hygon's guests, in the agent's JSON or as bytes, with as much of their chain as the item has.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evtpm_evidence::csv::{AuthorityCertificate, Evidence, PlatformCertificate, Report, Version};
use evtpm_logs::tcg::EventLog;
use evtpm_verify::csv::{Chain, check_signature, verify};
use serde::Deserialize;

use crate::csv::Parts;
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    signature: Option<String>,
    chain: Option<bool>,
    report_version: Option<u8>,
    policy: Option<String>,
    measurement: Option<String>,
    report_data: Option<String>,
    vm_id: Option<String>,
    serial_number: Option<String>,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let parts = parts(store, findings)?;
    let Some(report) = findings.accepted("report", Report::parse(parts.version, &parts.page)) else { return Ok(()) };
    compare(&report, &expect, findings);
    let platform = PlatformCertificate::parse(&parts.platform)?;
    let default = if is_bad(&item.id) { "INVALID" } else { "valid" };
    let expected = expect.signature.as_deref().unwrap_or(default);
    findings.verdict("signature by the platform's key", expected, check_signature(&report, &platform));
    let (Some(signing), Some(chip)) = (&parts.signing, &parts.chip) else {
        findings.not_checkable("the chain up to Hygon's root: HSK and CEK are not in the item");
        return Ok(());
    };
    let chain =
        Chain { signing: AuthorityCertificate::parse(signing)?, chip: PlatformCertificate::parse(chip)?, platform };
    let is_good = expected == "valid" && expect.chain.unwrap_or(true);
    let expected = if is_good { "valid" } else { "INVALID" };
    findings.verdict("up to Hygon's root", expected, verify(&report, &chain, &report.report_data()));
    let mut other = report.report_data();
    other[0] ^= 1;
    findings.refused("for other report data", verify(&report, &chain, &other));
    Ok(())
}

/// The parts of an item, wherever they came from.
fn parts(store: &Store, findings: &mut Findings) -> Result<Parts> {
    let names = ["report.bin", "report.cert", "attestation_report.bin"];
    let mut parts = match store.ending(".json") {
        Some(json) => of_json(json, findings)?,
        None => Parts::read(names.iter().find_map(|name| store.find(name)).context("the item has no report")?)?,
    };
    if let Some(pair) = store.find("hsk_cek.cert") {
        parts = parts.with_certificates(pair)?;
    }
    parts.signing = parts.signing.or_else(|| store.find("hsk.cert").map(<[u8]>::to_vec));
    parts.chip = parts.chip.or_else(|| store.find("cek.cert").map(<[u8]>::to_vec));
    Ok(parts)
}

fn of_json(json: &[u8], findings: &mut Findings) -> Result<Parts> {
    let evidence = Evidence::parse(json)?;
    let report = evidence.report()?;
    findings.holds("certificate in the report", report.platform_certificate() == evidence.platform);
    let serial = report.serial_number() == evidence.serial_number.as_bytes();
    findings.holds("serial number in the report", serial);
    if let Some(log) = &evidence.event_log {
        let log = STANDARD.decode(log)?;
        findings.accepted("event log", EventLog::parse(&log));
        if evidence.version == Version::V1 {
            findings.not_checkable("registers of the event log: a report of version 1 has none");
        }
    }
    Ok(evidence.into())
}

fn compare(report: &Report<'_>, expect: &Expect, findings: &mut Findings) {
    let version = if report.version == Version::V1 { 1 } else { 2 };
    findings.equal_if("version", expect.report_version.as_ref(), &version);
    findings.equal_if("policy", expect.policy.as_ref(), &format!("{:#x}", report.policy().0));
    findings.equal_if("measurement", expect.measurement.as_ref(), &hex(&report.measurement()));
    findings.equal_if("report data", expect.report_data.as_ref(), &hex(&report.report_data()));
    findings.equal_if("vm id", expect.vm_id.as_ref(), &hex(&report.vm_id()));
    let serial = String::from_utf8_lossy(&report.serial_number()).into_owned();
    findings.equal_if("serial number", expect.serial_number.as_ref(), &serial);
}
