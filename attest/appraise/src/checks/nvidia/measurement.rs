// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The measurements of a device against the values that the policy knows.

use evtpm_verify::nvidia::DeviceClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{HexBytes, NvidiaPolicy},
    vector::{TrustClaim, TrustVector},
};

/// A measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement;

impl Subject for Measurement {
    const CODE: &'static str = "nvidia.measurement";
    const LAYER: Layer = Layer::Nvidia;
    const NAME: &'static str = "A measurement";
    const RULE: &'static str = "measurements in [nvidia]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NvidiaPolicy, device: &DeviceClaims) -> Vec<Deviation<Measurement>> {
    let deviations = policy.measurements.iter().filter_map(|(index, accepted)| {
        let found = device.measurements.iter().find(|(found, _)| *found == index.0);
        let actual = found.map(|(_, value)| HexBytes(value.clone()));
        let deviation = Deviation::unlisted_or_missing(accepted, actual.as_ref())?;
        Some(deviation.named(format!("Measurement {index} of {}", device.device)))
    });
    deviations.collect()
}
