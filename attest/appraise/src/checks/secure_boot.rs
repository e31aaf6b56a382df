// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether UEFI Secure Boot was on.

use crate::{
    claims::BootClaims,
    finding::{Finding, Layer, Objection, Severity},
    policy::BootPolicy,
    vector::{TrustClaim, TrustVector},
};

/// Secure Boot is not in the state that the policy asks for, or its state is not proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecureBoot {
    required: bool,
    actual: Option<bool>,
}

pub(super) fn check(policy: &BootPolicy, boot: &BootClaims) -> Option<Finding> {
    let required = policy.secure_boot?;
    let actual = boot.secure_boot;
    (actual != Some(required)).then(|| SecureBoot { required, actual }.into())
}

const fn show(state: bool) -> &'static str {
    if state { "on" } else { "off" }
}

impl Objection for SecureBoot {
    const CODE: &'static str = "boot.secure-boot";

    fn layer(&self) -> Layer {
        Layer::Boot
    }
    fn severity(&self) -> Severity {
        if self.actual.is_some() { Severity::Failure } else { Severity::Missing }
    }
    fn expected(&self) -> String {
        show(self.required).into()
    }
    fn actual(&self) -> String {
        self.actual.map_or("not measured", show).into()
    }
    fn sentence(&self) -> String {
        match self.actual {
            Some(state) => format!("Secure Boot was {}.", show(state)),
            None => "The event log does not prove the state of Secure Boot.".into(),
        }
    }
    fn suggestion(&self) -> String {
        match self.actual {
            Some(_) => "Change the firmware's setting, or secure_boot in [boot].".into(),
            None => "Quote PCR 7, and use a firmware that measures the variable SecureBoot.".into(),
        }
    }
    fn effect(&self) -> TrustVector {
        match self.actual {
            Some(_) => TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::default() },
            None => TrustVector::default(),
        }
    }
}
