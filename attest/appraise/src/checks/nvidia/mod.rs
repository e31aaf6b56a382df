// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks on NVIDIA devices.

mod devices;
mod driver;
mod measurement;
mod vbios;

use evtpm_verify::nvidia::DeviceClaims;

pub use devices::Devices;
pub use driver::Driver;
pub use measurement::Measurement;
pub use vbios::Vbios;
pub use vbios::version;

use super::{chain_revocation, recorded};
use crate::{
    claims::Proven,
    finding::{Finding, Layer},
    policy::NvidiaPolicy,
};

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
        findings.extend(chain_revocation::check(policy.revocation, claims.revocation, LAYER).map(Finding::from));
        findings.extend(recorded::check(policy.allow_recorded, device.challenge(), LAYER).map(Finding::from));
    }
}
