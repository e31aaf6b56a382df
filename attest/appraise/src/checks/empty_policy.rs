// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A policy that asks for nothing never passes (rule 13), not even one that was put together in memory.

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::Policy,
    vector::TrustVector,
};

/// The policy asks for nothing, or contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmptyPolicy {
    flaw: &'static str,
}

pub(super) fn check(policy: &Policy) -> Option<Finding> {
    policy.flaw().map(|flaw| EmptyPolicy { flaw }.into())
}

impl Objection for EmptyPolicy {
    const CODE: &'static str = "evidence.empty-policy";

    fn layer(&self) -> Layer {
        Layer::Tpm
    }
    fn severity(&self) -> Severity {
        Severity::Missing
    }
    fn expected(&self) -> String {
        "a policy that names what the machine has to be".into()
    }
    fn actual(&self) -> String {
        self.flaw.into()
    }
    fn sentence(&self) -> String {
        "The policy says nothing that evidence could be held against.".into()
    }
    fn suggestion(&self) -> String {
        "Name a launch measurement, or learn a policy from a good machine.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
