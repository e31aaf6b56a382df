// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The launch digest has to be one that the policy knows (rule 7).

use evtpm_verify::snp::SnpClaims;

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{Bytes, SnpPolicy},
    vector::{TrustClaim, TrustVector},
};

/// The launch digest is none that the policy knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    expected: Vec<Bytes<48>>,
    actual: Bytes<48>,
}

pub(super) fn check(policy: &SnpPolicy, claims: &SnpClaims) -> Option<Finding> {
    let actual = Bytes(claims.report.measurement().0);
    if policy.measurements.contains(&actual) {
        return None;
    }
    Some(Measurement { expected: policy.measurements.to_vec(), actual }.into())
}

impl Objection for Measurement {
    const CODE: &'static str = "snp.measurement";

    fn layer(&self) -> Layer {
        Layer::Snp
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        super::show_list(&self.expected)
    }
    fn actual(&self) -> String {
        self.actual.to_string()
    }
    fn sentence(&self) -> String {
        "What was launched is not what the policy knows: the code at VMPL 0 may be anything.".into()
    }
    fn suggestion(&self) -> String {
        "Predict the digest of the files that should run, and compare; a new release needs a new measurement in [snp]."
            .into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::default() }
    }
}
