// SPDX-License-Identifier: Apache-2.0 OR MIT
//! REPORTDATA, which whoever asked for the quote had put in.

use evtpm_verify::dcap::DcapClaims;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::{Bytes, SgxPolicy},
    vector::{TrustClaim, TrustVector},
};

/// REPORTDATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportData;

impl Subject for ReportData {
    const CODE: &'static str = "sgx.report-data";
    const LAYER: Layer = Layer::Sgx;
    const NAME: &'static str = "REPORTDATA";
    const RULE: &'static str = "report_data in [sgx]";
    const EFFECT: TrustVector = TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::NONE };
}

pub(crate) fn check(policy: &SgxPolicy, claims: &DcapClaims) -> Option<Deviation<ReportData>> {
    Deviation::unlisted(&policy.report_data, &Bytes(claims.report_data))
}
