// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Debug mode, in which the parent instance reads the enclave's console and its measurements are zeros.

use evtpm_verify::nitro::NitroClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::NitroPolicy,
    vector::{TrustClaim, TrustVector},
};

/// Debug mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debug;

impl Subject for Debug {
    const CODE: &'static str = "nitro.debug";
    const LAYER: Layer = Layer::Nitro;
    const NAME: &'static str = "Debug mode";
    const RULE: &'static str = "allow_debug in [nitro]";
    const EFFECT: TrustVector = TrustVector { runtime_opaque: TrustClaim::VISIBLE, ..TrustVector::NONE };

    fn sentence(_: &Deviation<Self>) -> String {
        "The host may look into it and change it: it runs in debug mode.".into()
    }

    fn suggestion(_: &Deviation<Self>) -> String {
        "Start it without debugging; for a test, set allow_debug in [nitro].".into()
    }
}

pub(crate) fn check(policy: &NitroPolicy, claims: &NitroClaims) -> Option<Deviation<Debug>> {
    (claims.debug && !policy.allow_debug).then(|| Deviation::new("no debugging", "debug mode"))
}
