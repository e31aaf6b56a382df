// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The version of the driver, as the device reports it.

use evtpm_verify::nvidia::DeviceClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::NvidiaPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The driver's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver;

impl Subject for Driver {
    const CODE: &'static str = "nvidia.driver";
    const LAYER: Layer = Layer::Nvidia;
    const NAME: &'static str = "The driver's version";
    const RULE: &'static str = "driver_versions in [nvidia]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NvidiaPolicy, device: &DeviceClaims) -> Option<Deviation<Driver>> {
    Deviation::unlisted_or_missing(&policy.driver_versions, device.driver_version.as_ref())
}
