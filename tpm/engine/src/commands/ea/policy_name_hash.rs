// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyNameHash` (Part 3, "TPM2_PolicyNameHash").

use crate::commands::Execute;
use crate::state::PolicyLimit;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyNameHash, PolicyNameHashHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyNameHash {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyNameHashHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let name_hash = evaluation.digest_of_policy_size(&self.name_hash);
        let name_hash = name_hash.map_err(|rc| rc.at(Subject::Parameter(1)))?;
        if !evaluation.is_trial() {
            // "If policySession→cpHash is already set, the TPM shall return TPM_RC_CPHASH": even to the same value
            evaluation.limit_once(PolicyLimit::NameHash(name_hash))?;
        }

        evaluation.extend(|digest| digest.name_hash::<P::Crypto>(self.name_hash.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
