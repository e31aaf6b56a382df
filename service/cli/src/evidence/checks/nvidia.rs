// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `nvidia`: attestation reports of GPUs and switches with their chains.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use evtpm_evidence::spdm::Report;
use evtpm_verify::nvidia::{DeviceClaims, check_chain, check_signature, verify};
use evtpm_verify::rim::compare;
use evtpm_verify::x509::Certificate;
use evtpm_verify::{UnixTime, Vendor, Verified};
use serde::Deserialize;

use super::nvidia_rim::{manifests, verified};
use super::{DAY, serial};
use crate::evidence::findings::Findings;
use crate::evidence::index::{Item, Store, is_bad};
use crate::output::hex;

#[derive(Debug, Deserialize)]
struct Expect {
    device: Option<String>,
    #[serde(rename = "layout")]
    _layout: Option<String>,
    nonce: Option<String>,
    signature: Option<String>,
    chain_to_nvidia_root: Option<bool>,
    leaf_serial: Option<String>,
    notes: Option<String>,
}

/// `evidence.json`: the devices of one system.
#[derive(Debug, Deserialize)]
struct Device {
    certificate: String,
    evidence: String,
    nonce: String,
}

pub(super) fn check(item: &Item, store: &Store, findings: &mut Findings) -> Result<()> {
    let expect: Expect = item.expect(findings)?;
    let chain = Certificate::all_from(store.file("cert-chain.pem")?)?;
    let bytes = store.file("spdm-report.bin")?;
    let expected = expect.signature.as_deref().unwrap_or(if is_bad(&item.id) { "INVALID" } else { "valid" });
    let Some((report, rest)) = findings.read("report", expected, Report::parse_prefix(bytes)) else { return Ok(()) };
    if !rest.is_empty() {
        findings.pass(&format!("{} bytes behind the report are cut off", rest.len()));
    }
    findings.equal_if("nonce", expect.nonce.as_ref(), &hex(report.nonce));
    if let Some(leaf) = chain.first() {
        findings.equal_if("device", expect.device.as_ref(), &leaf.common_name().to_owned());
        findings.equal_if("serial number", expect.leaf_serial.as_ref(), &serial(leaf.serial()));
        findings.verdict("signature", expected, check_signature(&report, leaf));
    }
    let at = begin(&chain);
    let good = check_chain(&chain, at);
    findings.equal_if("chain to NVIDIA's root", expect.chain_to_nvidia_root.as_ref(), &good.is_ok());
    let all_good = expected == "valid" && expect.chain_to_nvidia_root.unwrap_or(true);
    let device = findings.verdict("verdict", if all_good { "valid" } else { "INVALID" }, verify(&report, &chain, at));
    if let Some(device) = device {
        check_measurements(device, store, findings)?;
    }
    check_system(store, expect.notes.as_deref(), findings)?;
    check_parse(&report, store, findings)
}

/// A moment at which every certificate of a chain is valid, if there is one.
fn begin(chain: &[Certificate]) -> UnixTime {
    let last = chain.iter().map(|certificate| certificate.validity().0.0).max().unwrap_or(0);
    UnixTime(last + DAY)
}

/// Where manifests came with the report, its measurements are what they have.
fn check_measurements(device: Verified<DeviceClaims, Vendor>, store: &Store, findings: &mut Findings) -> Result<()> {
    let manifests: Vec<_> =
        manifests(store).filter_map(|(name, bytes)| findings.accepted(name, verified(bytes))).collect();
    if manifests.is_empty() {
        findings.not_checkable("measurements: the manifests of driver and VBIOS are not in the item");
        return Ok(());
    }
    let comparison = compare(device, &manifests)?.comparison.clone().unwrap_or_default();
    let differ: Vec<u8> = comparison.deviations.iter().map(|deviation| deviation.index).collect();
    findings.equal("measurements that differ from the manifests", &Vec::new(), &differ);
    Ok(())
}

/// Every device of the system has a good report about the nonce that stands beside it.
fn check_system(store: &Store, notes: Option<&str>, findings: &mut Findings) -> Result<()> {
    if store.find("evidence.json").is_none() {
        return Ok(());
    }
    let devices: Vec<Device> = store.json("evidence.json")?;
    let mut serials = Vec::new();
    for (n, device) in devices.iter().enumerate() {
        let chain = Certificate::all_from(&STANDARD.decode(&device.certificate)?)?;
        let bytes = STANDARD.decode(&device.evidence)?;
        let (report, _) = Report::parse_prefix(&bytes)?;
        let what = format!("device {}", n + 1);
        findings.equal(&format!("{what}: nonce"), &device.nonce.to_ascii_lowercase(), &hex(report.nonce));
        if let Some(verified) = findings.accepted(&what, verify(&report, &chain, begin(&chain))) {
            serials.push(verified.serial.clone());
        }
    }
    serials.sort_unstable();
    serials.dedup();
    // Samples for tests have one device several times; whether the devices of a system are distinct, the index says.
    if notes.is_some_and(|notes| notes.contains("distinct")) {
        findings.equal("devices are distinct", &devices.len(), &serials.len());
    } else {
        findings.pass(&format!("{} distinct devices", serials.len()));
    }
    Ok(())
}

/// `spdm_parsed_output.json`: what the origin's parser finds.
fn check_parse(report: &Report<'_>, store: &Store, findings: &mut Findings) -> Result<()> {
    let Some(text) = store.find("spdm_parsed_output.json") else { return Ok(()) };
    let text = std::str::from_utf8(text)?.to_ascii_lowercase();
    let found = report.measurements.iter().all(|block| text.contains(&hex(block.value)));
    findings.holds("the origin's parser finds the same measurements", found);
    let nonce = text.contains(&hex(report.responder_nonce));
    findings.holds("the origin's parser finds the same nonce of the device", nonce);
    Ok(())
}
