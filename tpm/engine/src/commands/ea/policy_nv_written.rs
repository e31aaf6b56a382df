// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyNvWritten` (Part 3, "TPM2_PolicyNvWritten").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyNvWritten, PolicyNvWrittenHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyNvWritten {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyNvWrittenHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let written = self.written_set.is_yes();
        // "TPM_RC_VALUE if policySession→nvWrittenState and writtenSet are not the same"
        if !evaluation.is_trial() && evaluation.policy.nv_written.is_some_and(|known| known != written) {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }

        evaluation.policy.nv_written = Some(written);
        evaluation.extend(|digest| digest.nv_written::<P::Crypto>(self.written_set))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
