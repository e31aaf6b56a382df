// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicySecret` (Part 3, "TPM2_PolicySecret").

use super::authorization::Qualifiers;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{PolicySecret, PolicySecretHandles, PolicySecretResponse};
use evtpm_tpm_wire::{AuthTag, NvType, Rc, Tpm2bTimeout, TpmtTkAuth};

impl Execute for PolicySecret {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicySecretHandles) -> Result<PolicySecretResponse, Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let entity = handles.auth_handle.handle();
        let name = tpm.entity_name(entity);
        let mut response =
            PolicySecretResponse { timeout: Tpm2bTimeout::EMPTY, policy_ticket: TpmtTkAuth::null(AuthTag::Secret) };
        if !evaluation.is_trial() {
            let qualifiers = Qualifiers::from(&self);
            let timeout = qualifiers.bind(tpm, &mut evaluation)?;
            // "If the authHandle ... references a PIN Pass Index, then the command may succeed but a NULL Ticket will be
            // returned": a ticket would be used instead of the PIN, uncounted.
            let is_counted = tpm.nv_index(entity).is_some_and(|index| index.kind() == Some(NvType::PinPass));
            if !is_counted {
                let hierarchy = tpm.hierarchy_of(entity);
                (response.timeout, response.policy_ticket) =
                    qualifiers.ticket(tpm, AuthTag::Secret, hierarchy, &name, timeout)?;
            }
        }

        evaluation.extend(|digest| digest.secret::<P::Crypto>(name.as_bytes(), self.policy_ref.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(response)
    }
}

impl<'a> From<&'a PolicySecret> for Qualifiers<'a> {
    fn from(command: &'a PolicySecret) -> Self {
        Self {
            nonce_tpm: &command.nonce_tpm,
            cp_hash_a: &command.cp_hash_a,
            policy_ref: &command.policy_ref,
            expiration: command.expiration,
        }
    }
}
