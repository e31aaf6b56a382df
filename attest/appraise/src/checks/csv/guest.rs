// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest, by the identifier and the version that its owner chose.

use evtpm_verify::csv::CsvClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, CsvPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The guest's identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest;

impl Subject for Guest {
    const CODE: &'static str = "csv.vm-id";
    const LAYER: Layer = Layer::Csv;
    const NAME: &'static str = "The guest's identifier";
    const RULE: &'static str = "vm_ids in [csv]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

/// The guest's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestVersion;

impl Subject for GuestVersion {
    const CODE: &'static str = "csv.vm-version";
    const LAYER: Layer = Layer::Csv;
    const NAME: &'static str = "The guest's version";
    const RULE: &'static str = "vm_versions in [csv]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check_id(policy: &CsvPolicy, claims: &CsvClaims) -> Option<Deviation<Guest>> {
    Deviation::unlisted(&policy.vm_ids, &Bytes(claims.vm_id))
}

pub(crate) fn check_version(policy: &CsvPolicy, claims: &CsvClaims) -> Option<Deviation<GuestVersion>> {
    Deviation::unlisted(&policy.vm_versions, &Bytes(claims.vm_version))
}
