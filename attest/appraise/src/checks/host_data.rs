// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the host gave at launch, which ties a report to one machine or one configuration (rules 10 and 17).

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{Bytes, SnpPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The host gave something else at launch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostData {
    accepted: Vec<Bytes<32>>,
    actual: Bytes<32>,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Option<Finding> {
    let actual = Bytes(*claims.report.host_data());
    if policy.host_data.is_empty() || policy.host_data.contains(&actual) {
        return None;
    }
    Some(HostData { accepted: policy.host_data.clone(), actual }.into())
}

impl Objection for HostData {
    const CODE: &'static str = "snp.host-data";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        super::show_list(&self.accepted)
    }
    fn actual(&self) -> String {
        self.actual.to_string()
    }
    fn sentence(&self) -> String {
        "The report is of another machine or configuration than the one that is registered.".into()
    }
    fn suggestion(&self) -> String {
        "Check that the evidence comes from this machine and was not relayed from another.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { instance_identity: TrustClaim::UNRECOGNIZED, ..TrustVector::default() }
    }
}
