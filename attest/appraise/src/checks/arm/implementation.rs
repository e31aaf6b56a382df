// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The implementation of the platform or device.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, HexBytes},
    vector::{TrustClaim, TrustVector},
};

/// The implementation's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implementation;

impl Subject for Implementation {
    const CODE: &'static str = "arm.implementation";
    const LAYER: Layer = Layer::CcaPlatform;
    const NAME: &'static str = "The implementation's identifier";
    const RULE: &'static str = "implementations";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(accepted: &[Bytes<32>], actual: &[u8]) -> Option<Deviation<Implementation>> {
    let accepted: Vec<HexBytes> = accepted.iter().map(|id| HexBytes(id.0.to_vec())).collect();
    Deviation::unlisted(&accepted, &HexBytes(actual.to_vec()))
}
