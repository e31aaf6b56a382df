// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the machine added to the measurement: digests of host keys, the state of its firmware.

use evtpm_verify::s390::SeClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{HexBytes, S390Policy},
    vector::{TrustClaim, TrustVector},
};

/// The machine's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Additional;

impl Subject for Additional {
    const CODE: &'static str = "s390.additional";
    const LAYER: Layer = Layer::S390;
    const NAME: &'static str = "What the machine added";
    const RULE: &'static str = "additional_data in [s390]";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &S390Policy, claims: &SeClaims) -> Option<Deviation<Additional>> {
    Deviation::unlisted(&policy.additional_data, &HexBytes(claims.additional.clone()))
}
