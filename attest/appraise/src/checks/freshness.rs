// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether quote and binding answer a challenge of this verifier (rules 4 and 9).

use evtpm_verify::{evtpm::BindingFreshness, tpm};

use crate::{
    claims::Claims,
    finding::{Finding, Layer, Objection, Severity},
    policy::TpmPolicy,
    vector::TrustVector,
};

/// Something answers a nonce that came with the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    what: &'static str,
    is_accepted: bool,
}

pub(super) fn check(policy: &TpmPolicy, claims: &Claims) -> impl Iterator<Item = Finding> {
    let is_accepted = policy.allow_recorded;
    let quote = claims.quote.as_ref().filter(|quote| quote.freshness == tpm::Freshness::Recorded).map(|_| "quote");
    let binding = claims.key.as_ref().and_then(|key| key.binding);
    let binding = binding.filter(|(_, freshness)| *freshness == BindingFreshness::Recorded).map(|_| "report");
    [quote, binding].into_iter().flatten().map(move |what| Freshness { what, is_accepted }.into())
}

impl Objection for Freshness {
    const CODE: &'static str = "tpm.freshness";

    fn layer(&self) -> Layer {
        Layer::Tpm
    }
    fn severity(&self) -> Severity {
        if self.is_accepted { Severity::Notice } else { Severity::Stale }
    }
    fn expected(&self) -> String {
        "an answer to a nonce of this verifier".into()
    }
    fn actual(&self) -> String {
        format!("a recorded {}", self.what)
    }
    fn sentence(&self) -> String {
        format!("The {} is whole, but may be old: its nonce came with it.", self.what)
    }
    fn suggestion(&self) -> String {
        "Challenge the attester; to judge recorded evidence, set allow_recorded in [tpm].".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
