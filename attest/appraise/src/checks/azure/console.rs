// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A console of the guest that the host has.

use evtpm_verify::azure::ParavisorClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::AzurePolicy,
    vector::{TrustClaim, TrustVector},
};

/// The host's console of the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console;

impl Subject for Console {
    const CODE: &'static str = "azure.console";
    const LAYER: Layer = Layer::Azure;
    const NAME: &'static str = "The host's console of the guest";
    const RULE: &'static str = "allow_console in [azure]";
    const EFFECT: TrustVector = TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &AzurePolicy, claims: &ParavisorClaims) -> Option<Deviation<Console>> {
    if policy.allow_console {
        return None;
    }
    match claims.configuration.console_enabled {
        Some(false) => None,
        Some(true) => Some(Deviation::new("no console", "a console")),
        None => Some(Deviation::missing("no console")),
    }
}
