// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The instance, which is one device.

use evtpm_verify::psa::PsaClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{HexBytes, PsaPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The instance's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance;

impl Subject for Instance {
    const CODE: &'static str = "psa.instance";
    const LAYER: Layer = Layer::Psa;
    const NAME: &'static str = "The instance's identifier";
    const RULE: &'static str = "instances in [psa]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &PsaPolicy, claims: &PsaClaims) -> Option<Deviation<Instance>> {
    Deviation::unlisted(&policy.instances, &HexBytes(claims.instance_id.clone()))
}
