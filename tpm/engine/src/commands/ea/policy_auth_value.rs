// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyAuthValue` (Part 3, "TPM2_PolicyAuthValue").

use crate::commands::Execute;
use crate::state::PolicyProof;
use crate::{Platform, Tpm};
use evtpm_protocol::PolicyDigest;
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{PolicyAuthValue, PolicyAuthValueHandles};

impl Execute for PolicyAuthValue {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyAuthValueHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        // "policySession→isAuthValueNeeded is SET ... Additionally, policySession→isPasswordNeeded will be CLEAR."
        evaluation.policy.proof = PolicyProof::AuthValue;
        evaluation.extend(PolicyDigest::auth_value::<P::Crypto>)?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
