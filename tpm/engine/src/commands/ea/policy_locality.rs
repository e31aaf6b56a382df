// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyLocality` (Part 3, "TPM2_PolicyLocality").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyLocality, PolicyLocalityHandles};
use evtpm_tpm_wire::{Rc, Subject};

/// Localities 0 to 4: "All localities are enabled for a policy when the policy session is created."
const ALL: u8 = 0x1F;
/// "If locality has a value greater than 31, then an extended locality is indicated."
const FIRST_EXTENDED: u8 = 32;

impl Execute for PolicyLocality {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyLocalityHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let combined = combine(evaluation.policy.locality, self.locality.0);
        let combined = combined.ok_or(Rc::RANGE.at(Subject::Parameter(1)))?;
        if !evaluation.is_trial() {
            evaluation.policy.locality = combined;
        }

        evaluation.extend(|digest| digest.locality::<P::Crypto>(self.locality))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}

/// Restricts what was allowed, zero being everything; `None` when nothing would be left.
const fn combine(allowed: u8, asked: u8) -> Option<u8> {
    let combined = match (allowed, asked) {
        (0, FIRST_EXTENDED..) => asked,
        (0, _) => ALL & asked,
        (FIRST_EXTENDED.., _) | (_, FIRST_EXTENDED..) => {
            if allowed == asked {
                asked
            } else {
                0
            }
        }
        _ => allowed & asked,
    };
    if combined == 0 { None } else { Some(combined) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::ea::testing::{policy, started_policy};
    use evtpm_tpm_wire::TpmaLocality;

    #[test]
    fn localities_only_ever_become_fewer() {
        assert_eq!(combine(0, 0x07), Some(0x07));
        assert_eq!(combine(0x07, 0x1C), Some(0x04));
        assert_eq!(combine(0x07, 0x18), None);
        assert_eq!(combine(0, 0), None);
    }

    #[test]
    fn an_extended_locality_stands_alone() {
        assert_eq!(combine(0, 32), Some(32));
        assert_eq!(combine(32, 32), Some(32));
        assert_eq!(combine(32, 33), None);
        assert_eq!(combine(32, 0x01), None);
        assert_eq!(combine(0x01, 0x21), None);
    }

    #[test]
    fn nothing_left_is_a_range_error_that_changes_nothing() {
        let (mut tpm, session) = started_policy();
        let handles = PolicyLocalityHandles { policy_session: policy(session) };
        tpm.send(&PolicyLocality { locality: TpmaLocality::ZERO }, handles).unwrap();
        let before = tpm.state.clone();
        let result = tpm.send(&PolicyLocality { locality: TpmaLocality::ONE }, handles);
        assert_eq!(result, Err(Rc::RANGE.at(Subject::Parameter(1))));
        assert!(tpm.state == before);
    }
}
