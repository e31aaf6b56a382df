// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A policy that asks for no hardware is obeyed, and every result says so (rule 14 is the same for simulated hardware).

use crate::{
    finding::{Finding, Layer, Objection, Severity},
    policy::{HardwareRule, Policy},
    vector::{TrustClaim, TrustVector},
};

/// The policy asks for no report of any hardware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoHardware;

pub(super) fn check(policy: &Policy) -> Option<Finding> {
    (policy.hardware == HardwareRule::None).then(|| NoHardware.into())
}

impl Objection for NoHardware {
    const CODE: &'static str = "evidence.no-hardware";

    fn layer(&self) -> Layer {
        Layer::Tpm
    }
    fn severity(&self) -> Severity {
        Severity::Warning
    }
    fn expected(&self) -> String {
        "no report of any hardware".into()
    }
    fn actual(&self) -> String {
        "hardware = \"none\"".into()
    }
    fn sentence(&self) -> String {
        "No hardware vouches for this machine: whoever runs it can run it under a TPM of their own.".into()
    }
    fn suggestion(&self) -> String {
        "Name the launch in a section of its TEE, [snp] or another, and remove hardware = \"none\".".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { hardware: TrustClaim::UNSAFE, ..TrustVector::default() }
    }
}
