// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measurement violations: what IMA measured is not what was used (rule 11).

use crate::{
    claims::RuntimeClaims,
    finding::{Finding, Layer, Objection, Severity},
    policy::{ImaPolicy, ViolationRule},
    vector::{TrustClaim, TrustVector},
};

/// Files were written while they were measured, or measured while they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations {
    rule: ViolationRule,
    count: usize,
}

pub(super) fn check(policy: &ImaPolicy, runtime: &RuntimeClaims) -> Option<Finding> {
    let count = runtime.violations;
    (count > 0).then(|| Violations { rule: policy.violations, count }.into())
}

impl Objection for Violations {
    const CODE: &'static str = "runtime.violations";

    fn layer(&self) -> Layer {
        Layer::Runtime
    }
    fn severity(&self) -> Severity {
        match self.rule {
            ViolationRule::Fail => Severity::Failure,
            ViolationRule::Report => Severity::Warning,
        }
    }
    fn expected(&self) -> String {
        "no violation".into()
    }
    fn actual(&self) -> String {
        format!("{} violations", self.count)
    }
    fn sentence(&self) -> String {
        "Files were opened for writing while they were measured, so their digests say nothing.".into()
    }
    fn suggestion(&self) -> String {
        "Leave files that are written out of the IMA policy, or set violations = \"report\" in [ima].".into()
    }
    fn effect(&self) -> TrustVector {
        let file_system = match self.rule {
            ViolationRule::Fail => TrustClaim::CONTRAINDICATED,
            ViolationRule::Report => TrustClaim::UNSAFE,
        };
        TrustVector { file_system, ..TrustVector::default() }
    }
}
