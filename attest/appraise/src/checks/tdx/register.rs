// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The runtime measurement registers of a TD: firmware and boot.

use evtpm_verify::dcap::TdClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, TdxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// An RTMR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register;

impl Subject for Register {
    const CODE: &'static str = "tdx.register";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "A runtime measurement register";
    const RULE: &'static str = "the rtmr of its number in [tdx]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &TdxPolicy, td: &TdClaims) -> impl Iterator<Item = Deviation<Register>> {
    let rules = [&policy.rtmr0, &policy.rtmr1, &policy.rtmr2, &policy.rtmr3];
    let values = td.rtmrs;
    (0_u8..).zip(rules).zip(values).filter_map(|((number, accepted), value)| {
        Some(Deviation::unlisted(accepted, &Bytes(value))?.named(format!("RTMR {number}")))
    })
}
