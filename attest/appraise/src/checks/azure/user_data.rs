// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guest had the paravisor put into its claims.

use evtpm_verify::azure::ParavisorClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::AzurePolicy,
    vector::{TrustClaim, TrustVector},
};

/// The guest's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData;

impl Subject for UserData {
    const CODE: &'static str = "azure.user-data";
    const LAYER: Layer = Layer::Azure;
    const NAME: &'static str = "What the guest had put in";
    const RULE: &'static str = "user_data in [azure]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &AzurePolicy, claims: &ParavisorClaims) -> Option<Deviation<UserData>> {
    let accepted: Vec<String> = policy.user_data.iter().map(ToString::to_string).collect();
    let actual = claims.user_data.as_ref().map(|digits| digits.to_ascii_lowercase());
    Deviation::unlisted_or_missing(&accepted, actual.as_ref())
}
