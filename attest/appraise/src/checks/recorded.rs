// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether evidence of hardware answers a challenge of this verifier (rules 4 and 9).

use crate::{
    checks::deviation::{Deviation, Subject},
    claims::Challenge,
    finding::{Layer, Objection as _, Severity},
    vector::TrustVector,
};

/// The challenge that evidence answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded;

impl Subject for Recorded {
    const CODE: &'static str = "evidence.recorded";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "The challenge that the evidence answers";
    const RULE: &'static str = "allow_recorded";
    const EFFECT: TrustVector = TrustVector::NONE;

    fn sentence(deviation: &Deviation<Self>) -> String {
        format!("The evidence is whole, but may be old: {}.", deviation.actual())
    }

    fn suggestion(_: &Deviation<Self>) -> String {
        "Challenge the attester; to judge recorded evidence, set allow_recorded in its section.".into()
    }
}

pub(crate) fn check(allow_recorded: bool, challenge: Challenge, layer: Layer) -> Option<Deviation<Recorded>> {
    let actual = match challenge {
        Challenge::Issued | Challenge::Key => return None,
        Challenge::Recorded => "the challenge that it answers came with it",
        Challenge::Unchecked => "nobody told which challenge it has to answer",
    };
    let severity = if allow_recorded { Severity::Notice } else { Severity::Stale };
    Some(Deviation::new("an answer to a challenge of this verifier", actual).weighing(severity).at(layer))
}
