// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The version of the VBIOS, as the device reports it.

use evtpm_verify::nvidia::DeviceClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::NvidiaPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The VBIOS's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vbios;

impl Subject for Vbios {
    const CODE: &'static str = "nvidia.vbios";
    const LAYER: Layer = Layer::Nvidia;
    const NAME: &'static str = "The VBIOS's version";
    const RULE: &'static str = "vbios_versions in [nvidia]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NvidiaPolicy, device: &DeviceClaims) -> Option<Deviation<Vbios>> {
    let accepted: Vec<String> = policy.vbios_versions.iter().map(|version| version.to_ascii_uppercase()).collect();
    Deviation::unlisted_or_missing(&accepted, device.vbios().as_ref())
}
