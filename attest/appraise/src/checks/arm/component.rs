// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The measured software components of the platform or device.

use evtpm_verify::software::Component;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::HexBytes,
    vector::{TrustClaim, TrustVector},
};

/// A software component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftwareComponent;

impl Subject for SoftwareComponent {
    const CODE: &'static str = "arm.component";
    const LAYER: Layer = Layer::CcaPlatform;
    const NAME: &'static str = "A software component";
    const RULE: &'static str = "components";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(accepted: &[HexBytes], components: &[Component]) -> Vec<Deviation<SoftwareComponent>> {
    let deviations = components.iter().filter_map(|component| {
        let deviation = Deviation::unlisted(accepted, &HexBytes(component.measurement.clone()))?;
        Some(deviation.named(name(component)))
    });
    deviations.collect()
}

/// What a component is called, for people.
pub(super) fn name(component: &Component) -> String {
    let kind = component.kind.as_deref().unwrap_or("without name");
    let version = component.version.as_ref().map(|version| format!(" version {version}")).unwrap_or_default();
    format!("Software component {kind}{version}")
}
