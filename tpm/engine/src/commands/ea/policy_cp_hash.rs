// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyCpHash` (Part 3, "TPM2_PolicyCpHash").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyCpHash, PolicyCpHashHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyCpHash {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyCpHashHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let cp_hash = evaluation.digest_of_policy_size(&self.cp_hash_a);
        let cp_hash = cp_hash.map_err(|rc| rc.at(Subject::Parameter(1)))?;
        if !evaluation.is_trial() {
            evaluation.limit_cp_hash(cp_hash)?;
        }

        evaluation.extend(|digest| digest.cp_hash::<P::Crypto>(self.cp_hash_a.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
