// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The bits of the guest's policy: what the host may do with the guest.

use evtpm_verify::csv::{CsvClaims, GuestPolicy};

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::CsvPolicy,
    vector::{TrustClaim, TrustVector},
};

/// A bit of the guest's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyBit;

impl Subject for PolicyBit {
    const CODE: &'static str = "csv.policy";
    const LAYER: Layer = Layer::Csv;
    const NAME: &'static str = "The guest's policy";
    const RULE: &'static str = "allow_debug, allow_visible_registers, allow_migration or require_csv3 in [csv]";
    const EFFECT: TrustVector = TrustVector { runtime_opaque: TrustClaim::VISIBLE, ..TrustVector::NONE };

    fn suggestion(_: &Deviation<Self>) -> String {
        format!("Launch the guest with a policy that forbids it; else see {}.", Self::RULE)
    }
}

pub(crate) fn check(policy: &CsvPolicy, claims: &CsvClaims) -> Vec<Deviation<PolicyBit>> {
    let guest = claims.policy;
    let rules = [
        (!policy.allow_debug && !guest.has(GuestPolicy::NO_DEBUG), "NODBG", "the host may debug it"),
        (
            !policy.allow_visible_registers && !guest.has(GuestPolicy::ENCRYPTED_STATE),
            "ES",
            "the host sees its registers",
        ),
        (!policy.allow_migration && !guest.has(GuestPolicy::NO_SEND), "NOSEND", "it may be sent to another platform"),
        (policy.require_csv3 && !guest.has(GuestPolicy::CSV3), "CSV3", "it is of an earlier CSV"),
    ];
    let broken = rules.into_iter().filter(|(is_broken, ..)| *is_broken);
    broken
        .map(|(_, bit, actual)| Deviation::new(bit, actual).named(format!("Bit {bit} of the guest's policy")))
        .collect()
}
