// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyPassword` (Part 3, "TPM2_PolicyPassword").

use crate::commands::Execute;
use crate::state::PolicyProof;
use crate::{Platform, Tpm};
use evtpm_protocol::PolicyDigest;
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{PolicyPassword, PolicyPasswordHandles};

impl Execute for PolicyPassword {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyPasswordHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        evaluation.policy.proof = PolicyProof::Password;
        // "This is the same extend value as used with TPM2_PolicyAuthValue()"
        evaluation.extend(PolicyDigest::auth_value::<P::Crypto>)?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
