// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyTemplate` (Part 3, "TPM2_PolicyTemplate").

use crate::commands::Execute;
use crate::state::PolicyLimit;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyTemplate, PolicyTemplateHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyTemplate {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyTemplateHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let template = evaluation.digest_of_policy_size(&self.template_hash);
        let template = template.map_err(|rc| rc.at(Subject::Parameter(1)));
        if evaluation.is_trial() {
            template?;
        } else {
            match evaluation.policy.limit {
                PolicyLimit::Template(known) if Ok(known) == template => {}
                // "isTemplateSet is SET and policySession→cpHash is not equal to templateHash, ... TPM_RC_VALUE"
                PolicyLimit::Template(_) => return Err(Rc::VALUE.at(Subject::Parameter(1))),
                PolicyLimit::None => evaluation.limit_once(PolicyLimit::Template(template?))?,
                _ => return Err(Rc::CPHASH),
            }
        }

        evaluation.extend(|digest| digest.template::<P::Crypto>(self.template_hash.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
