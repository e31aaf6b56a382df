// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many devices proved themselves, each with a certificate of its own.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::NvidiaPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The number of devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Devices;

impl Subject for Devices {
    const CODE: &'static str = "nvidia.devices";
    const LAYER: Layer = Layer::Nvidia;
    const NAME: &'static str = "The number of devices";
    const RULE: &'static str = "min_devices in [nvidia]";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NvidiaPolicy, devices: usize) -> Option<Deviation<Devices>> {
    Deviation::below(u64::from(policy.min_devices), u64::try_from(devices).unwrap_or(u64::MAX))
}
