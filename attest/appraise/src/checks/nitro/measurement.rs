// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PCR 0, the measurement of the enclave's image.

use evtpm_verify::nitro::NitroClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{HexBytes, NitroPolicy},
    vector::{TrustClaim, TrustVector},
};

/// PCR 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement;

impl Subject for Measurement {
    const CODE: &'static str = "nitro.measurement";
    const LAYER: Layer = Layer::Nitro;
    const NAME: &'static str = "PCR 0, the measurement of the image,";
    const RULE: &'static str = "measurements in [nitro]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NitroPolicy, claims: &NitroClaims) -> Option<Deviation<Measurement>> {
    // In debug mode it is zeros, and another check says so.
    if claims.debug && policy.allow_debug {
        return None;
    }
    let accepted: Vec<HexBytes> = policy.measurements.iter().map(|value| HexBytes(value.0.to_vec())).collect();
    Deviation::unlisted_or_missing(&accepted, super::register::value(claims, 0).as_ref())
}
