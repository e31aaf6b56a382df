// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyOR` (Part 3, "TPM2_PolicyOR").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicyOr, PolicyOrHandles};
use evtpm_tpm_wire::{Rc, Subject};

/// "count {2:}: The minimum is two for TPM2_PolicyOR()", "a list with at least eight".
const MIN_COUNT: usize = 2;
const MAX_COUNT: usize = 8;

impl Execute for PolicyOr {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyOrHandles) -> Result<(), Rc> {
        if self.p_hash_list.len() < MIN_COUNT {
            return Err(Rc::SIZE.at(Subject::Parameter(1)));
        }
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let mut branches = self.p_hash_list.iter().map(|digest| digest.as_bytes());
        // "If the current policySession→policyDigest does not match any value in the list, ... TPM_RC_VALUE."
        if !evaluation.is_trial() && !branches.any(|branch| branch == evaluation.digest()) {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }

        let mut digests: [&[u8]; MAX_COUNT] = [&[]; MAX_COUNT];
        for (to, from) in digests.iter_mut().zip(&self.p_hash_list) {
            *to = from.as_bytes();
        }
        evaluation.extend(|digest| digest.or::<P::Crypto>(&digests))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
