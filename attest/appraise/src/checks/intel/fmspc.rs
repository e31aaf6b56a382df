// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kind of platform (FMSPC).

use evtpm_verify::dcap::PckFacts;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, IntelPlatform},
    vector::{TrustClaim, TrustVector},
};

/// FMSPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fmspc;

impl Subject for Fmspc {
    const CODE: &'static str = "intel.fmspc";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "FMSPC, the kind of platform,";
    const RULE: &'static str = "fmspcs in the platform table";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &IntelPlatform, platform: &PckFacts) -> Option<Deviation<Fmspc>> {
    Deviation::unlisted(&policy.fmspcs, &Bytes(platform.fmspc))
}
