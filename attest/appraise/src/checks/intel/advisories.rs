// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Advisories of Intel's that apply to the platform.

use evtpm_verify::dcap::TcbStatus;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::{Layer, Objection as _},
    policy::IntelPlatform,
    vector::{TrustClaim, TrustVector},
};

/// An advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisories;

impl Subject for Advisories {
    const CODE: &'static str = "intel.advisories";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "An advisory of Intel's";
    const RULE: &'static str = "advisories in the platform table";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };

    fn sentence(deviation: &Deviation<Self>) -> String {
        format!("{} applies to the platform, and the policy does not put up with it.", deviation.actual())
    }
}

pub(crate) fn check(policy: &IntelPlatform, status: &TcbStatus) -> Vec<Deviation<Advisories>> {
    let TcbStatus::Judged { advisories, .. } = status else { return Vec::new() };
    advisories.iter().filter_map(|advisory| Deviation::unlisted(&policy.advisories, advisory)).collect()
}
