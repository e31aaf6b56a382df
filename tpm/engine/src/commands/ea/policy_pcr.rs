// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyPCR` (Part 3, "TPM2_PolicyPCR").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_protocol::ProtocolError;
use evtpm_tpm_wire::commands::{PolicyPcr, PolicyPcrHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for PolicyPcr {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyPcrHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        // "bits that correspond to unimplemented PCR are CLEAR"
        let (selected, current) = tpm.pcr_digest(&self.pcrs, evaluation.hash()?);
        let (mut pcrs, mut pcr_digest) = (selected, current.as_bytes());
        if evaluation.is_trial() {
            // "In this computation, pcrs is the input parameter without modification"; without a digest, "it is preferred
            // to use the current TPM PCR settings".
            pcrs = self.pcrs;
            if !self.pcr_digest.is_empty() {
                pcr_digest = self.pcr_digest.as_bytes();
            }
        } else {
            let counter = tpm.state.pcrs.update_counter();
            if evaluation.policy.pcr_counter.is_some_and(|known| known != counter) {
                return Err(Rc::PCR_CHANGED);
            }
            if !self.pcr_digest.is_empty() && self.pcr_digest.as_bytes() != pcr_digest {
                return Err(Rc::VALUE.at(Subject::Parameter(1)));
            }
            evaluation.policy.pcr_counter = Some(counter);
        }

        let mut extended = Ok(());
        evaluation.extend(|digest| {
            let new = digest.pcr::<P::Crypto>(&pcrs, pcr_digest);
            extended = new.map(|_| ()).map_err(ProtocolError::rc);
            new.unwrap_or(digest)
        })?;
        extended?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
