// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vTPM whose state outlives the virtual machine's runs: the host keeps it.

use evtpm_verify::azure::ParavisorClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::AzurePolicy,
    vector::{TrustClaim, TrustVector},
};

/// The vTPM's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersistedTpm;

impl Subject for PersistedTpm {
    const CODE: &'static str = "azure.persisted-tpm";
    const LAYER: Layer = Layer::Azure;
    const NAME: &'static str = "The vTPM's state";
    const RULE: &'static str = "allow_persisted_tpm in [azure]";
    const EFFECT: TrustVector = TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &AzurePolicy, claims: &ParavisorClaims) -> Option<Deviation<PersistedTpm>> {
    if policy.allow_persisted_tpm {
        return None;
    }
    match claims.configuration.tpm_persisted {
        Some(false) => None,
        Some(true) => Some(Deviation::new("ephemeral", "persisted")),
        None => Some(Deviation::missing("ephemeral")),
    }
}
