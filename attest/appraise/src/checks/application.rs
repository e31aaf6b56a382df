// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boot loaders and kernels that firmware started (PCR 4).

use crate::{
    claims::{BootClaims, BootEvent},
    finding::{Finding, Layer, Objection, Severity},
    policy::{BootPolicy, FileDigest},
    vector::{TrustClaim, TrustVector},
};

/// Firmware started something that the policy does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    accepted: Vec<FileDigest>,
    actual: BootEvent,
}

/// Everything in PCR 4 that is no marker is taken for code: the types that a log writes are claims.
pub(super) fn check(policy: &BootPolicy, boot: &BootClaims) -> Vec<Finding> {
    if policy.applications.is_empty() {
        return Vec::new();
    }
    boot.events
        .iter()
        .filter(|event| event.pcr.value() == 4 && !event.is_marker && !event.is_listed(&policy.applications))
        .map(|event| Application { accepted: policy.applications.clone(), actual: event.clone() }.into())
        .collect()
}

impl Objection for Application {
    const CODE: &'static str = "boot.application";

    fn layer(&self) -> Layer {
        Layer::Boot
    }
    fn severity(&self) -> Severity {
        Severity::Failure
    }
    fn expected(&self) -> String {
        super::show_list(&self.accepted)
    }
    fn actual(&self) -> String {
        self.actual.digest()
    }
    fn sentence(&self) -> String {
        format!("Firmware started a boot loader or kernel that the policy does not know ({}).", self.actual.label)
    }
    fn suggestion(&self) -> String {
        "If it is an update of yours, add its Authenticode digest to applications in [boot].".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::default() }
    }
}
