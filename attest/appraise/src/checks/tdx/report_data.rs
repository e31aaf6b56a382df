// SPDX-License-Identifier: Apache-2.0 OR MIT
//! REPORTDATA, which whoever asked for the quote had put in.

use evtpm_verify::dcap::DcapClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, TdxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// REPORTDATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportData;

impl Subject for ReportData {
    const CODE: &'static str = "tdx.report-data";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "REPORTDATA";
    const RULE: &'static str = "report_data in [tdx]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &TdxPolicy, claims: &DcapClaims) -> Option<Deviation<ReportData>> {
    Deviation::unlisted(&policy.report_data, &Bytes(claims.report_data))
}
