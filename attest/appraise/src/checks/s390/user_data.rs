// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guest had put into the measurement.

use evtpm_verify::s390::SeClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{HexBytes, S390Policy},
    vector::{TrustClaim, TrustVector},
};

/// The guest's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData;

impl Subject for UserData {
    const CODE: &'static str = "s390.user-data";
    const LAYER: Layer = Layer::S390;
    const NAME: &'static str = "What the guest had put in";
    const RULE: &'static str = "user_data in [s390]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &S390Policy, claims: &SeClaims) -> Option<Deviation<UserData>> {
    Deviation::unlisted(&policy.user_data, &HexBytes(claims.user_data.clone()))
}
