// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TDATTRIBUTES and XFAM: how the TD was set up.

use evtpm_verify::dcap::TdClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, TdxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// TDATTRIBUTES or XFAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes;

impl Subject for Attributes {
    const CODE: &'static str = "tdx.attributes";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "The TD's setup";
    const RULE: &'static str = "attributes and xfam in [tdx]";
    const EFFECT: TrustVector = TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &TdxPolicy, td: &TdClaims) -> impl Iterator<Item = Deviation<Attributes>> {
    let attributes = Deviation::unlisted(&policy.attributes, &Bytes(td.attributes));
    let features = Deviation::unlisted(&policy.xfam, &Bytes(td.xfam));
    let attributes = attributes.map(|deviation| deviation.named("TDATTRIBUTES".into()));
    attributes.into_iter().chain(features.map(|deviation| deviation.named("XFAM".into())))
}
