// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch digest.

use evtpm_verify::csv::CsvClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, CsvPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The launch digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement;

impl Subject for Measurement {
    const CODE: &'static str = "csv.measurement";
    const LAYER: Layer = Layer::Csv;
    const NAME: &'static str = "The launch digest";
    const RULE: &'static str = "measurements in [csv]";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CsvPolicy, claims: &CsvClaims) -> Option<Deviation<Measurement>> {
    Deviation::unlisted(&policy.measurements, &Bytes(claims.measurement))
}
