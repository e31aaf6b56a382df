// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyCommandCode` (Part 3, "TPM2_PolicyCommandCode").

use crate::commands::{Execute, spec};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyCommandCode, PolicyCommandCodeHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyCommandCode {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyCommandCodeHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        // "If code is not implemented, the TPM will return TPM_RC_POLICY_CC."
        if spec::<P>(self.code).is_none() {
            return Err(Rc::POLICY_CC.at(Subject::Parameter(1)));
        }
        if !evaluation.is_trial() {
            // "the TPM will return TPM_RC_VALUE if the two values are not the same"
            evaluation.limit_command(self.code, Rc::VALUE.at(Subject::Parameter(1)))?;
        }

        evaluation.extend(|digest| digest.command_code::<P::Crypto>(self.code))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
