// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debug mode, in which the host can look inside.

use evtpm_verify::dcap::DcapClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::SgxPolicy,
    vector::{TrustClaim, TrustVector},
};

/// Debug mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debug;

impl Subject for Debug {
    const CODE: &'static str = "sgx.debug";
    const LAYER: Layer = Layer::Sgx;
    const NAME: &'static str = "Debug mode";
    const RULE: &'static str = "allow_debug in [sgx]";
    const EFFECT: TrustVector = TrustVector { runtime_opaque: TrustClaim::VISIBLE, ..TrustVector::NONE };

    fn sentence(_: &Deviation<Self>) -> String {
        "The host may look into it and change it: it runs in debug mode.".into()
    }

    fn suggestion(_: &Deviation<Self>) -> String {
        "Start it without debugging; for a test, set allow_debug in [sgx].".into()
    }
}

pub(crate) fn check(policy: &SgxPolicy, claims: &DcapClaims) -> Option<Deviation<Debug>> {
    (claims.debug && !policy.allow_debug).then(|| Deviation::new("no debugging", "debug mode"))
}
