// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the enclave had put into the document.

use evtpm_verify::nitro::NitroClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{HexBytes, NitroPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The enclave's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData;

impl Subject for UserData {
    const CODE: &'static str = "nitro.user-data";
    const LAYER: Layer = Layer::Nitro;
    const NAME: &'static str = "What the enclave had put in";
    const RULE: &'static str = "user_data in [nitro]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &NitroPolicy, claims: &NitroClaims) -> Option<Deviation<UserData>> {
    Deviation::unlisted_or_missing(&policy.user_data, claims.user_data.clone().map(HexBytes).as_ref())
}
