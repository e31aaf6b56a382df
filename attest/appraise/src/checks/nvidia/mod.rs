// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on NVIDIA devices.

mod devices;
mod driver;
mod manifest;
mod measurement;
mod vbios;

use evtpm_verify::nvidia::DeviceClaims;

pub use devices::Devices;
pub use driver::Driver;
pub use manifest::Manifest;
pub use measurement::Measurement;
pub use vbios::Vbios;

use super::{chain_revocation, recorded};
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::NvidiaPolicy,
};

/// Objects to every measurement that NVIDIA's manifests contradict, whatever the policy asks for.
pub(super) fn contradictions(devices: &[Proven<DeviceClaims>], findings: &mut Vec<Finding>) {
    let deviations = devices.iter().flat_map(|device| manifest::contradictions(device.claims()));
    findings.extend(deviations.map(Finding::from));
}

/// Runs every check on every device.
pub(super) fn check(policy: &NvidiaPolicy, devices: &[Proven<DeviceClaims>], findings: &mut Vec<Finding>) {
    const LAYER: Layer = Layer::Nvidia;
    let mut serials: Vec<&[u8]> = devices.iter().map(|device| device.claims().serial.as_slice()).collect();
    serials.sort_unstable();
    serials.dedup();
    findings.extend(devices::check(policy, serials.len()).map(Finding::from));
    for device in devices {
        let claims = device.claims();
        findings.extend(measurement::check(policy, claims).into_iter().map(Finding::from));
        findings.extend(driver::check(policy, claims).map(Finding::from));
        findings.extend(vbios::check(policy, claims).map(Finding::from));
        findings.extend(manifest::check(policy, claims).map(Finding::from));
        findings.extend(chain_revocation::check(policy.revocation, claims.revocation, LAYER).map(Finding::from));
        findings.extend(recorded::check(policy.allow_recorded, device.challenge(), LAYER).map(Finding::from));
    }
}
