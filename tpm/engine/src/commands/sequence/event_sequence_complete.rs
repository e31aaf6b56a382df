// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_EventSequenceComplete` (Part 3, "TPM2_EventSequenceComplete").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::{SequenceKind, rule};
use crate::{Platform, Tpm};
use evtpm_crypto::{Crypto, StreamingHash};
use evtpm_tpm_wire::commands::{EventSequenceComplete, EventSequenceCompleteHandles, EventSequenceCompleteResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, TpmlDigestValues, TpmtHa};

impl Execute for EventSequenceComplete<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: EventSequenceCompleteHandles,
    ) -> Result<EventSequenceCompleteResponse, Rc> {
        let sequence_handle = handles.sequence_handle.handle();
        // "If sequenceHandle references a hash or HMAC sequence, the TPM shall return TPM_RC_MODE."
        let no_event = Rc::MODE.at(Subject::Handle(2));
        let SequenceKind::Event(hashers) = &tpm.sequence(sequence_handle).ok_or(no_event)?.kind else {
            return Err(no_event);
        };
        // "PCR extension is not allowed at the current locality"
        if handles.pcr_handle.is_some_and(|pcr| !rule(pcr).may_extend(tpm.locality)) {
            return Err(Rc::LOCALITY);
        }

        let mut results = TpmlDigestValues::new();
        for hasher in hashers.iter() {
            let mut hasher = hasher.clone();
            hasher.update(self.buffer.as_bytes());
            let digest = TpmtHa::new(algorithm::wire_hash(hasher.alg()), hasher.finish().as_bytes());
            results.push(digest.ok_or(Rc::FAILURE)?).map_err(|Overflow| Rc::FAILURE)?;
        }

        tpm.state.objects.flush(sequence_handle).ok_or(no_event)?;
        let Some(pcr) = handles.pcr_handle else { return Ok(EventSequenceCompleteResponse { results }) };
        for digest in &results {
            let Some(alg) = algorithm::hash(digest.hash_alg()) else { continue };
            tpm.state.pcrs.extend(pcr, alg, |old| P::Crypto::hash(alg, &[old.as_bytes(), digest.digest()]));
        }
        Ok(EventSequenceCompleteResponse { results })
    }
}
