// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether the hardware's report answers the challenge that the TPM's quote answers, where nothing else ties them together.

use crate::{
    checks::deviation::{Deviation, Subject},
    claims::Claims,
    finding::Layer,
    policy::TpmPolicy,
    vector::{TrustClaim, TrustVector},
};

/// One challenge for both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedChallenge;

impl Subject for SharedChallenge {
    const CODE: &'static str = "tpm.shared-challenge";
    const LAYER: Layer = Layer::Tpm;
    const NAME: &'static str = "The challenge of the report";
    const RULE: &'static str = "require_shared_challenge in [tpm]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };

    fn sentence(deviation: &Deviation<Self>) -> String {
        match deviation.has_actual() {
            true => "Report and quote answer different challenges: they may be of different machines.".into(),
            false => "There is no report beside the quote that could answer its challenge.".into(),
        }
    }

    fn suggestion(_: &Deviation<Self>) -> String {
        "Ask for report and quote with one nonce, zeros behind it in REPORTDATA.".into()
    }
}

pub(crate) fn check(policy: &TpmPolicy, claims: &Claims) -> Option<Deviation<SharedChallenge>> {
    // A report that leads to the key has tied them together already.
    let is_bound = claims.key.as_ref().is_some_and(|key| key.binding.is_some());
    if !policy.require_shared_challenge || is_bound || claims.shared_challenge == Some(true) {
        return None;
    }
    let expected = "the quote's nonce";
    Some(match claims.shared_challenge {
        Some(_) => Deviation::new(expected, "another"),
        None => Deviation::missing(expected),
    })
}
