// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence that no section of the policy is about: it was verified, and adds nothing.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::{Layer, Severity},
    vector::TrustVector,
};

/// Evidence beside the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unjudged;

impl Subject for Unjudged {
    const CODE: &'static str = "evidence.unjudged";
    const LAYER: Layer = Layer::Snp;
    const NAME: &'static str = "Evidence";
    const RULE: &'static str = "a section for it";
    const EFFECT: TrustVector = TrustVector::NONE;

    fn sentence(_: &Deviation<Self>) -> String {
        "There is verified evidence that no section of the policy is about: nothing of it was judged.".into()
    }

    fn suggestion(_: &Deviation<Self>) -> String {
        "Add a section for it, or do not send it.".into()
    }
}

pub(crate) fn check(layer: Layer) -> Deviation<Unjudged> {
    Deviation::new("no such evidence", format!("evidence of layer {}", layer.name()))
        .weighing(Severity::Notice)
        .at(layer)
}
