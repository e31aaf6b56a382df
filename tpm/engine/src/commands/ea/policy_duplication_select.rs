// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyDuplicationSelect` (Part 3, "TPM2_PolicyDuplicationSelect").

use crate::commands::Execute;
use crate::state::PolicyLimit;
use crate::{Platform, Tpm};
use evtpm_crypto::Crypto;
use evtpm_tpm_wire::commands::{PolicyDuplicationSelect, PolicyDuplicationSelectHandles};
use evtpm_tpm_wire::{Cc, Rc};

impl Execute for PolicyDuplicationSelect {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyDuplicationSelectHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let (object, new_parent) = (self.object_name.as_bytes(), self.new_parent_name.as_bytes());
        if !evaluation.is_trial() {
            // "policySession→nameHash receives the digest of both Names": this object to this parent, whatever the digest says
            let name_hash = P::Crypto::hash(evaluation.hash()?, &[object, new_parent]);
            evaluation.limit_once(PolicyLimit::NameHash(name_hash))?;
            evaluation.limit_command(Cc::DUPLICATE, Rc::POLICY_CC)?;
        }

        let object = self.include_object.is_yes().then_some(object);
        evaluation.extend(|digest| digest.duplication_select::<P::Crypto>(object, new_parent))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
