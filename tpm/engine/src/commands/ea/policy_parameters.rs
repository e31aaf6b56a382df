// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyParameters` (Part 3, "TPM2_PolicyParameters").

use crate::commands::Execute;
use crate::state::PolicyLimit;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyParameters, PolicyParametersHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyParameters {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyParametersHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let p_hash = evaluation.digest_of_policy_size(&self.p_hash);
        let p_hash = p_hash.map_err(|rc| rc.at(Subject::Parameter(1)))?;
        if !evaluation.is_trial() {
            // "If policySession→cpHash is already set, the TPM shall return TPM_RC_CPHASH": even to the same value
            evaluation.limit_once(PolicyLimit::Parameters(p_hash))?;
        }

        evaluation.extend(|digest| digest.parameters::<P::Crypto>(self.p_hash.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
