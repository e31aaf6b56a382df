// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the virtual machine's firmware checks what it starts, in the paravisor's words.

use evtpm_verify::azure::ParavisorClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::AzurePolicy,
    vector::{TrustClaim, TrustVector},
};

/// Secure Boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecureBoot;

impl Subject for SecureBoot {
    const CODE: &'static str = "azure.secure-boot";
    const LAYER: Layer = Layer::Azure;
    const NAME: &'static str = "Secure Boot";
    const RULE: &'static str = "secure_boot in [azure]";
    const EFFECT: TrustVector = TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &AzurePolicy, claims: &ParavisorClaims) -> Option<Deviation<SecureBoot>> {
    let required = policy.secure_boot?;
    let state = |on: bool| if on { "on" } else { "off" };
    match claims.configuration.secure_boot {
        Some(actual) if actual == required => None,
        Some(actual) => Some(Deviation::new(state(required), state(actual))),
        None => Some(Deviation::missing(state(required))),
    }
}
