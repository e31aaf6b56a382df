// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that boot loader and kernel stub loaded: kernels, initial RAM disks, modules (PCR 9).

use crate::{
    claims::{BootClaims, BootEvent},
    finding::{Finding, Layer, Objection, Severity},
    policy::{BootPolicy, FileDigest},
    vector::{TrustClaim, TrustVector},
};

/// Something was loaded that the policy does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    accepted: Vec<FileDigest>,
    actual: BootEvent,
}

/// An event that claims to be the command line is spared only where the rules for command lines judge it.
pub(super) fn check(policy: &BootPolicy, boot: &BootClaims) -> Vec<Finding> {
    if policy.loaded.is_empty() {
        return Vec::new();
    }
    let is_judged_elsewhere = |event: &BootEvent| event.is_load_options && !policy.command_lines.is_empty();
    boot.events
        .iter()
        .filter(|event| event.pcr.value() == 9 && !event.is_marker && !is_judged_elsewhere(event))
        .filter(|event| !event.is_listed(&policy.loaded))
        .map(|event| Loaded { accepted: policy.loaded.clone(), actual: event.clone() }.into())
        .collect()
}

impl Objection for Loaded {
    const CODE: &'static str = "boot.loaded";

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
        "A kernel, an initial RAM disk or another file was loaded that the policy does not know.".into()
    }
    fn suggestion(&self) -> String {
        "If it is an update of yours, add the file's digest to loaded in [boot].".into()
    }
    fn effect(&self) -> TrustVector {
        TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::default() }
    }
}
