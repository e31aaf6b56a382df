// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The partition that asked for the token.

use evtpm_verify::psa::PsaClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::PsaPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller;

impl Subject for Caller {
    const CODE: &'static str = "psa.caller";
    const LAYER: Layer = Layer::Psa;
    const NAME: &'static str = "The caller";
    const RULE: &'static str = "allow_nonsecure_caller in [psa]";
    const EFFECT: TrustVector = TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

/// RFC 9783, "Client ID": "a positive value … for secure partitions", a negative one for callers outside of them.
pub(crate) fn check(policy: &PsaPolicy, claims: &PsaClaims) -> Option<Deviation<Caller>> {
    let is_accepted = policy.allow_nonsecure_caller || claims.client_id >= 0;
    (!is_accepted).then(|| Deviation::new("a secure partition", format!("the non-secure caller {}", claims.client_id)))
}
