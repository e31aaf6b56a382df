// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The state of the life cycle: a platform that can be debugged proves little.

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::Layer,
    policy::LifecycleState,
    vector::{TrustClaim, TrustVector},
};

/// The state of the life cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifecycle;

impl Subject for Lifecycle {
    const CODE: &'static str = "arm.lifecycle";
    const LAYER: Layer = Layer::CcaPlatform;
    const NAME: &'static str = "The state of the life cycle";
    const RULE: &'static str = "lifecycle";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };
}

pub(crate) fn check(accepted: &[LifecycleState], number: u16) -> Option<Deviation<Lifecycle>> {
    let state = LifecycleState::from_number(number);
    if state.is_some_and(|state| accepted.contains(&state)) {
        return None;
    }
    let actual = state.map_or_else(|| format!("{number:#06x}"), |state| format!("{state} ({number:#06x})"));
    Some(Deviation::new(super::super::show_list(accepted), actual))
}
