// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyTicket` (Part 3, "TPM2_PolicyTicket").

use super::authorization::{Ticketed, bind_cp_hash, bind_timeout};
use crate::commands::Execute;
use crate::{Platform, Tpm, ticket};
use evtpm_tpm_wire::commands::{PolicyTicket, PolicyTicketHandles};
use evtpm_tpm_wire::{AuthTag, Rc, Subject};

impl Execute for PolicyTicket {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyTicketHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        if !evaluation.is_trial() {
            let timeout = self.timeout.as_bytes().try_into().map_err(|_| Rc::SIZE.at(Subject::Parameter(1)))?;
            let ticketed = Ticketed {
                tag: self.ticket.tag,
                hierarchy: ticket::hierarchy(self.ticket.hierarchy),
                timeout: u64::from_be_bytes(timeout),
                cp_hash_a: &self.cp_hash_a,
                policy_ref: &self.policy_ref,
                auth_name: &self.auth_name,
            };
            let timeout = Some(ticketed.unmarked_timeout());
            bind_timeout(tpm, &mut evaluation, timeout).map_err(|rc| rc.at(Subject::Parameter(1)))?;
            bind_cp_hash(&mut evaluation, &self.cp_hash_a).map_err(|rc| rc.at(Subject::Parameter(2)))?;
            if !tpm.ticket_is(&self.ticket.digest, &ticketed.digest(tpm)) {
                return Err(Rc::TICKET.at(Subject::Parameter(5)));
            }
        }

        // The ticket stands for the command that gave it.
        let (name, policy_ref) = (self.auth_name.as_bytes(), self.policy_ref.as_bytes());
        evaluation.extend(|digest| match self.ticket.tag {
            AuthTag::Secret => digest.secret::<P::Crypto>(name, policy_ref),
            AuthTag::Signed => digest.signed::<P::Crypto>(name, policy_ref),
        })?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
