// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The extensible measurements of a realm: what it loaded.

use evtpm_verify::cca::RealmClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{CcaPolicy, HexBytes},
    vector::{TrustClaim, TrustVector},
};

/// A REM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register;

impl Subject for Register {
    const CODE: &'static str = "cca-realm.register";
    const LAYER: Layer = Layer::CcaRealm;
    const NAME: &'static str = "An extensible measurement";
    const RULE: &'static str = "the rem of its number in [cca]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CcaPolicy, realm: &RealmClaims) -> Vec<Deviation<Register>> {
    let rules = [&policy.rem0, &policy.rem1, &policy.rem2, &policy.rem3];
    let values = realm.extensible_measurements.iter().map(|value| Some(HexBytes(value.clone())));
    let deviations = (0_u8..).zip(rules).zip(values.chain(core::iter::repeat(None)));
    let deviations = deviations.filter_map(|((number, accepted), value)| {
        Some(Deviation::unlisted_or_missing(accepted, value.as_ref())?.named(format!("REM {number}")))
    });
    deviations.collect()
}
