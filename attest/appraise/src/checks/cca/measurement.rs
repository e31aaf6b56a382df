// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RIM, the measurement of a realm's initial contents.

use evtpm_verify::cca::RealmClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{CcaPolicy, HexBytes},
    vector::{TrustClaim, TrustVector},
};

/// RIM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement;

impl Subject for Measurement {
    const CODE: &'static str = "cca-realm.measurement";
    const LAYER: Layer = Layer::CcaRealm;
    const NAME: &'static str = "RIM, the realm's initial measurement,";
    const RULE: &'static str = "measurements in [cca]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CcaPolicy, realm: &RealmClaims) -> Option<Deviation<Measurement>> {
    Deviation::unlisted(&policy.measurements, &HexBytes(realm.initial_measurement.clone()))
}
