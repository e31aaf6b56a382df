// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of NVIDIA devices, each with the device's own certificates, against NVIDIA's manifests.

use evtpm_appraise::{Challenge, Layer};
use evtpm_evidence::rim::Manifest;
use evtpm_evidence::spdm::Report;
use evtpm_verify::nvidia::{self, DeviceClaims};
use evtpm_verify::rim::{self, ReferenceMeasurements};
use evtpm_verify::x509::Certificate;
use evtpm_verify::{Error, UnixTime, Vendor, Verified};
use serde_json::{Value, json};

use super::args::{Device, Hardware};
use super::{Verification, at_text};
use crate::bundle::material::Part;
use crate::output::{hex, printable};
use crate::verify::chain::State;
use crate::verify::facts::Fact;

const WHAT: &str = "device report";
const MANIFEST: &str = "manifest";

pub(super) fn verify(verification: &mut Verification, hardware: &Hardware, at: UnixTime) {
    let mut lines = Vec::new();
    let manifests = manifests(verification, &hardware.rims, at);
    for device in &hardware.nvidia {
        let verified = match verify_one(device, &manifests, at) {
            Ok(verified) => verified,
            Err(error) => {
                verification.refuse(WHAT, Layer::Nvidia, &error);
                continue;
            }
        };
        let Some(challenge) = verification.answer(hardware, Layer::Nvidia, &verified.nonce) else { continue };
        lines.push(line(&verified));
        compared(verification, &verified);
        add(verification, &verified, challenge, at);
    }
    if lines.is_empty() {
        return;
    }
    verification.facts.push(Fact::new("devices", lines));
    verification.gap(true, "revocation of the NVIDIA devices' certificates: only NVIDIA's online service knows it");
}

type Manifests = Vec<Verified<ReferenceMeasurements, Vendor>>;

/// Verifies the manifests; one that is refused is nothing to compare with.
fn manifests(verification: &mut Verification, parts: &[Part], at: UnixTime) -> Manifests {
    let mut manifests = Vec::new();
    for part in parts {
        match Manifest::parse(&part.bytes).map_err(Error::from).and_then(|manifest| rim::verify(&manifest, at)) {
            Ok(manifest) => {
                let (product, version) = (printable(&manifest.product), printable(&manifest.version));
                let detail = format!("of {product}, version {version}, up to {}, {}", manifest.root(), at_text(at));
                verification.note(MANIFEST, State::Verified, detail);
                manifests.push(manifest);
            }
            Err(error) => verification.refuse(MANIFEST, Layer::Nvidia, &format!("{}: {error}", part.source)),
        }
    }
    manifests
}

/// Notes how the measurements compare; what they are held against, the claims carry to the appraisal.
fn compared(verification: &mut Verification, device: &DeviceClaims) {
    let comparison = device.comparison.clone().unwrap_or_default();
    let name = format!("{} {}", printable(&device.device), hex(&device.serial));
    if !comparison.compared.is_empty() {
        let indices: Vec<String> = comparison.deviations.iter().map(|one| one.index.to_string()).collect();
        let count = comparison.compared.len();
        let (state, found) = match indices.is_empty() {
            true => (State::Verified, "all as the manifests have them".to_owned()),
            false => (State::Refused, format!("different from the manifests: {}", indices.join(", "))),
        };
        verification.note("measurements", state, format!("{count} of {name} compared, {found}"));
    }
    for (part, version) in device.without_manifest() {
        let version = version.map_or_else(|| "that is not told".to_owned(), |version| printable(&version));
        let text = format!("what the {part} of {name} measures: no manifest of version {version} was given");
        verification.gap(true, &text);
    }
}

fn verify_one(device: &Device, manifests: &Manifests, at: UnixTime) -> Result<Verified<DeviceClaims, Vendor>, Error> {
    // What follows a report is not the device's: its own lengths say where it ends.
    let (report, _) = Report::parse_prefix(&device.report)?;
    rim::compare(nvidia::verify(&report, &Certificate::all_from(&device.chain)?, at)?, manifests)
}

fn add(verification: &mut Verification, device: &Verified<DeviceClaims, Vendor>, challenge: Challenge, at: UnixTime) {
    let detail = format!("{} {}, up to {}, {}", device.device, hex(&device.serial), device.root(), at_text(at));
    verification.prove(WHAT, detail, Vec::new(), |claims| claims.with_nvidia(device, challenge));
}

fn line(device: &DeviceClaims) -> Value {
    let version = |text: Option<String>| text.map_or_else(|| "not told".to_owned(), |text| printable(&text));
    let driver = version(device.driver_version.clone());
    let vbios = version(device.vbios());
    let count = device.measurements.len();
    json!(format!(
        "{} {}: driver {driver}, VBIOS {vbios}, {count} measurements, nonce {}",
        printable(&device.device),
        hex(&device.serial),
        hex(&device.nonce)
    ))
}
