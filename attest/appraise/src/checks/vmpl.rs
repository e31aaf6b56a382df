// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The privilege level that the report was made for (rule 7).

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::SnpPolicy,
    vector::{TrustClaim, TrustVector},
};

/// The report was made for another privilege level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vmpl {
    expected: u32,
    actual: u32,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Option<Finding> {
    let (expected, actual) = (policy.vmpl, claims.report.vmpl());
    (expected != actual).then(|| Vmpl { expected, actual }.into())
}

impl Objection for Vmpl {
    const CODE: &'static str = "snp.vmpl";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        format!("VMPL {}", self.expected)
    }
    fn actual(&self) -> String {
        // AMD 56860, "ATTESTATION_REPORT": "The value FFFFFFFFh indicates that this report was requested by the host."
        if self.actual == u32::MAX { "a report for the host".into() } else { format!("VMPL {}", self.actual) }
    }
    fn sentence(&self) -> String {
        "The report was asked for at another privilege level than the one that is trusted.".into()
    }
    fn suggestion(&self) -> String {
        "Take the report from the SVSM, not from the guest's kernel.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::default() }
    }
}
