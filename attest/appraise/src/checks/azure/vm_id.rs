// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The identifier of the virtual machine.

use evtpm_verify::azure::ParavisorClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::AzurePolicy,
    vector::{TrustClaim, TrustVector},
};

/// The virtual machine's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmId;

impl Subject for VmId {
    const CODE: &'static str = "azure.vm-id";
    const LAYER: Layer = Layer::Azure;
    const NAME: &'static str = "The virtual machine's identifier";
    const RULE: &'static str = "vm_ids in [azure]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &AzurePolicy, claims: &ParavisorClaims) -> Option<Deviation<VmId>> {
    Deviation::unlisted_or_missing(&policy.vm_ids, claims.configuration.vm_id.as_ref())
}
