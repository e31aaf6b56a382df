// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks that CCA platforms and PSA devices share.

mod component;
mod implementation;
mod lifecycle;
mod signer;

use evtpm_verify::software::Component;

pub use component::SoftwareComponent;
pub use implementation::Implementation;
pub use lifecycle::Lifecycle;
pub use signer::ComponentSigner;

use crate::{
    finding::{Finding, Layer},
    policy::{Bytes, HexBytes, LifecycleState},
};

/// The rules that both kinds of policy have.
pub(super) struct Platform<'a> {
    pub(super) implementations: &'a [Bytes<32>],
    pub(super) lifecycle: &'a [LifecycleState],
    pub(super) components: &'a [HexBytes],
    pub(super) signers: &'a [HexBytes],
}

impl Platform<'_> {
    /// Runs every check on a platform or device, as findings of one layer.
    pub(super) fn check(
        &self,
        implementation: &[u8],
        lifecycle: u16,
        components: &[Component],
        layer: Layer,
        findings: &mut Vec<Finding>,
    ) {
        findings
            .extend(implementation::check(self.implementations, implementation).map(|found| found.at(layer).into()));
        findings.extend(lifecycle::check(self.lifecycle, lifecycle).map(|found| found.at(layer).into()));
        findings.extend(component::check(self.components, components).into_iter().map(|found| found.at(layer).into()));
        findings.extend(signer::check(self.signers, components).into_iter().map(|found| found.at(layer).into()));
    }
}
