// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Intel's collateral says of the platform's TCB; without collateral nobody judged it.

use evtpm_verify::dcap::TcbStatus;

use crate::{
    checks::deviation::{Deviation, Subject},
    finding::{Layer, Objection as _, Severity},
    policy::IntelPlatform,
    vector::{TrustClaim, TrustVector},
};

/// The platform's TCB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcb;

impl Subject for Tcb {
    const CODE: &'static str = "intel.tcb";
    const LAYER: Layer = Layer::Tdx;
    const NAME: &'static str = "The platform's TCB";
    const RULE: &'static str = "tcb in the platform table";
    const EFFECT: TrustVector = TrustVector { hardware: TrustClaim::CONTRAINDICATED, ..TrustVector::NONE };

    fn sentence(deviation: &Deviation<Self>) -> String {
        match deviation.severity() {
            Severity::Failure => {
                format!("The platform's firmware is not in a state that the policy accepts: {}.", deviation.actual())
            }
            _ => "Nobody judged the platform's firmware: Intel's collateral for it was not given.".into(),
        }
    }

    fn suggestion(deviation: &Deviation<Self>) -> String {
        match deviation.severity() {
            Severity::Failure => {
                "Update the platform's firmware, or add its state to tcb in the platform table.".into()
            }
            _ => "Fetch the platform's collateral from Intel or a cache of it, and give it with the quote.".into(),
        }
    }
}

pub(crate) fn check(policy: &IntelPlatform, status: &TcbStatus) -> Option<Deviation<Tcb>> {
    let expected = super::super::show_list(policy.tcb.iter());
    match status {
        TcbStatus::Unchecked => {
            let weight = if policy.allow_unchecked_tcb { Severity::Warning } else { Severity::Missing };
            Some(Deviation::new(expected, "unchecked").weighing(weight))
        }
        TcbStatus::BelowEveryLevel => Some(Deviation::new(expected, "below every level that Intel lists")),
        TcbStatus::Judged { status, .. } => {
            let is_accepted = policy.tcb.iter().any(|accepted| accepted.to_string() == *status);
            (!is_accepted).then(|| Deviation::new(expected, status))
        }
    }
}
