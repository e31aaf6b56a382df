// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The personalisation value: what the host gave at launch.

use evtpm_verify::cca::RealmClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{CcaPolicy, HexBytes},
    vector::{TrustClaim, TrustVector},
};

/// The personalisation value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Personalization;

impl Subject for Personalization {
    const CODE: &'static str = "cca-realm.personalization";
    const LAYER: Layer = Layer::CcaRealm;
    const NAME: &'static str = "The personalisation value";
    const RULE: &'static str = "personalizations in [cca]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CcaPolicy, realm: &RealmClaims) -> Option<Deviation<Personalization>> {
    let accepted: Vec<HexBytes> = policy.personalizations.iter().map(|value| HexBytes(value.0.to_vec())).collect();
    Deviation::unlisted(&accepted, &HexBytes(realm.personalization.clone()))
}
