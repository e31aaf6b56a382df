// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MRCONFIGID and MROWNER: what the host gave at launch.

use evtpm_verify::dcap::TdClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, TdxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// MRCONFIGID or MROWNER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner;

impl Subject for Owner {
    const CODE: &'static str = "tdx.owner";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "What the host gave at launch";
    const RULE: &'static str = "config_ids and owners in [tdx]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &TdxPolicy, td: &TdClaims) -> impl Iterator<Item = Deviation<Owner>> {
    let config = Deviation::unlisted(&policy.config_ids, &Bytes(td.mr_config_id));
    let owner = Deviation::unlisted(&policy.owners, &Bytes(td.mr_owner));
    let config = config.map(|deviation| deviation.named("MRCONFIGID".into()));
    config.into_iter().chain(owner.map(|deviation| deviation.named("MROWNER".into())))
}
