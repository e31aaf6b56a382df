// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MRTD, the measurement of a TD's initial contents, has to be one that the policy knows.

use evtpm_verify::dcap::TdClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, TdxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// MRTD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement;

impl Subject for Measurement {
    const CODE: &'static str = "tdx.measurement";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "MRTD, the measurement of the TD's initial contents,";
    const RULE: &'static str = "measurements in [tdx]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &TdxPolicy, td: &TdClaims) -> Option<Deviation<Measurement>> {
    Deviation::unlisted(&policy.measurements, &Bytes(td.mr_td))
}
