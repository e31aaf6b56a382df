// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The keys that signed the software components.

use evtpm_verify::software::Component;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::HexBytes,
    vector::{TrustClaim, TrustVector},
};

/// The signer of a software component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentSigner;

impl Subject for ComponentSigner {
    const CODE: &'static str = "arm.signer";
    const LAYER: Layer = Layer::CcaPlatform;
    const NAME: &'static str = "The signer of a software component";
    const RULE: &'static str = "signers";
    const EFFECT: TrustVector = TrustVector { executables: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(accepted: &[HexBytes], components: &[Component]) -> Vec<Deviation<ComponentSigner>> {
    let deviations = components.iter().filter_map(|component| {
        let deviation = Deviation::unlisted(accepted, &HexBytes(component.signer.clone()))?;
        Some(deviation.named(format!("{}: its signer", super::component::name(component))))
    });
    deviations.collect()
}
