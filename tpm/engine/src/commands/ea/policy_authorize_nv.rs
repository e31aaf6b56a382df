// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyAuthorizeNV` (Part 3, "TPM2_PolicyAuthorizeNV").

use crate::commands::Execute;
use crate::{Platform, Tpm, name};
use evtpm_tpm_wire::commands::{PolicyAuthorizeNv, PolicyAuthorizeNvHandles};
use evtpm_tpm_wire::{Rc, Reader, TpmtHa};

impl Execute for PolicyAuthorizeNv {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyAuthorizeNvHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let index = tpm.nv_for_evaluation(&evaluation, handles.auth_handle, handles.nv_index)?;
        if !evaluation.is_trial() {
            // "large enough to hold a properly formatted TPMT_HA (TPM_RC_INSUFFICIENT)", "not a TPM_ALG_ID for a hash
            // algorithm implemented on the TPM (TPM_RC_HASH)": as when a parameter is read
            let approved: TpmtHa = Reader::new(index.data.as_slice(), &tpm.profile.supported).read()?;
            if approved.hash_alg() != evaluation.alg {
                return Err(Rc::HASH);
            }
            if approved.digest() != evaluation.digest() {
                return Err(Rc::VALUE);
            }
        }

        let nv_name = name::of_nv_index::<P::Crypto>(&index.public);
        evaluation.extend(|digest| digest.authorize_nv::<P::Crypto>(nv_name.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
