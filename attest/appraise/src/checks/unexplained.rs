// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PCRs that the event log has to explain (rule 12).

use evtpm_logs::PcrSet;

use crate::{
    claims::BootClaims,
    finding::{Finding, Layer, Objection, Severity},
    policy::BootPolicy,
    vector::TrustVector,
};

/// PCRs that the policy looks at are not quoted, so that the log proves nothing about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    required: PcrSet,
    explained: PcrSet,
}

pub(super) fn check(policy: &BootPolicy, boot: &BootClaims) -> Option<Finding> {
    let required: PcrSet = policy.pcrs.iter().map(|pcr| pcr.0).collect();
    let explained = boot.explained;
    (!required.without(explained).is_empty()).then(|| Unexplained { required, explained }.into())
}

impl Objection for Unexplained {
    const CODE: &'static str = "boot.unexplained";

    fn layer(&self) -> Layer {
        Layer::Boot
    }
    fn severity(&self) -> Severity {
        Severity::Missing
    }
    fn expected(&self) -> String {
        format!("PCRs {}", self.required)
    }
    fn actual(&self) -> String {
        format!("PCRs {}", self.explained)
    }
    fn sentence(&self) -> String {
        format!("PCRs {} are not explained by the event log.", self.required.without(self.explained))
    }
    fn suggestion(&self) -> String {
        "Ask the attester to quote them.".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector::default()
    }
}
