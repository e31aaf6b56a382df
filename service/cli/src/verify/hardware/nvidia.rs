// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reports of NVIDIA devices, each with the device's own certificates.

use evtpm_appraise::{Challenge, Layer};
use evtpm_evidence::spdm::Report;
use evtpm_verify::nvidia::{self, DeviceClaims};
use evtpm_verify::x509::Certificate;
use evtpm_verify::{Error, UnixTime, Vendor, Verified};
use serde_json::{Value, json};

use super::args::{Device, Hardware};
use super::{Verification, at_text};
use crate::output::{hex, printable};
use crate::verify::facts::Fact;

const WHAT: &str = "device report";

pub(super) fn verify(verification: &mut Verification, hardware: &Hardware, at: UnixTime) {
    let mut lines = Vec::new();
    for device in &hardware.nvidia {
        let verified = match verify_one(device, at) {
            Ok(verified) => verified,
            Err(error) => {
                verification.refuse(WHAT, Layer::Nvidia, &error);
                continue;
            }
        };
        let Some(challenge) = verification.answer(hardware, Layer::Nvidia, &verified.nonce) else { continue };
        lines.push(line(&verified));
        add(verification, &verified, challenge, at);
    }
    if lines.is_empty() {
        return;
    }
    verification.facts.push(Fact::new("devices", lines));
    verification.gap(true, "revocation of the NVIDIA devices' certificates: only NVIDIA's online service knows it");
}

fn verify_one(device: &Device, at: UnixTime) -> Result<Verified<DeviceClaims, Vendor>, Error> {
    // What follows a report is not the device's: its own lengths say where it ends.
    let (report, _) = Report::parse_prefix(&device.report)?;
    nvidia::verify(&report, &Certificate::all_from(&device.chain)?, at)
}

fn add(verification: &mut Verification, device: &Verified<DeviceClaims, Vendor>, challenge: Challenge, at: UnixTime) {
    let detail = format!("{} {}, up to {}, {}", device.device, hex(&device.serial), device.root(), at_text(at));
    verification.prove(WHAT, detail, Vec::new(), |claims| claims.with_nvidia(device, challenge));
}

fn line(device: &DeviceClaims) -> Value {
    let version = |text: Option<String>| text.map_or_else(|| "not told".to_owned(), |text| printable(&text));
    let driver = version(device.driver_version.clone());
    let vbios = version(device.vbios_version.as_deref().map(evtpm_appraise::checks::nvidia::version));
    let count = device.measurements.len();
    json!(format!(
        "{} {}: driver {driver}, VBIOS {vbios}, {count} measurements, nonce {}",
        printable(&device.device),
        hex(&device.serial),
        hex(&device.nonce)
    ))
}
