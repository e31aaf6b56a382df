// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MRSEAM, the measurement of the TDX module below the TD.

use evtpm_verify::dcap::TdClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, TdxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// MRSEAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module;

impl Subject for Module {
    const CODE: &'static str = "tdx.module";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "MRSEAM, the measurement of the TDX module,";
    const RULE: &'static str = "modules in [tdx]";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &TdxPolicy, td: &TdClaims) -> Option<Deviation<Module>> {
    Deviation::unlisted(&policy.modules, &Bytes(td.mr_seam))
}
