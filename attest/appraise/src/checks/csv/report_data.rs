// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the requester had put into the report.

use evtpm_verify::csv::CsvClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, CsvPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The report data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportData;

impl Subject for ReportData {
    const CODE: &'static str = "csv.report-data";
    const LAYER: Layer = Layer::Csv;
    const NAME: &'static str = "The report data";
    const RULE: &'static str = "report_data in [csv]";
    const EFFECT: TrustVector = TrustVector { sourced_data: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &CsvPolicy, claims: &CsvClaims) -> Option<Deviation<ReportData>> {
    Deviation::unlisted(&policy.report_data, &Bytes(claims.report_data))
}
