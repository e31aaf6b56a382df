// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The link between the IMA list and the boot: `boot_aggregate`, recomputed from quoted PCRs (rule 11).

use crate::{
    claims::RuntimeClaims,
    finding::{Finding, Layer, Objection, Severity},
    policy::ImaPolicy,
    vector::TrustVector,
};

/// `boot_aggregate` could not be recomputed: the quote does not cover its PCRs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootAggregate;

pub(super) fn check(policy: &ImaPolicy, runtime: &RuntimeClaims) -> Option<Finding> {
    (policy.boot_aggregate && !runtime.aggregate_verified).then(|| BootAggregate.into())
}

impl Objection for BootAggregate {
    const CODE: &'static str = "runtime.boot-aggregate";

    fn layer(&self) -> Layer {
        Layer::Runtime
    }
    fn severity(&self) -> Severity {
        Severity::Missing
    }
    fn expected(&self) -> String {
        "boot_aggregate recomputed from the quote".into()
    }
    fn actual(&self) -> String {
        "its PCRs are not quoted in its bank".into()
    }
    fn sentence(&self) -> String {
        "The first entry of the IMA list could not be compared with the PCRs of the boot.".into()
    }
    fn suggestion(&self) -> String {
        "Quote PCR 0 to 9 in the bank of IMA's hash, usually SHA-256.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
