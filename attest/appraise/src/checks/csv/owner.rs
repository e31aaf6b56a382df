// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The owner, whose key the guest was launched with.

use evtpm_verify::csv::CsvClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, CsvPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner;

impl Subject for Owner {
    const CODE: &'static str = "csv.owner";
    const LAYER: Layer = Layer::Csv;
    const NAME: &'static str = "The digest of the owner's key";
    const RULE: &'static str = "owner_keys in [csv]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CsvPolicy, claims: &CsvClaims) -> Option<Deviation<Owner>> {
    Deviation::unlisted(&policy.owner_keys, &Bytes(claims.owner_key_digest))
}
