// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SequenceComplete` (Part 3, "TPM2_SequenceComplete").

use crate::algorithm;
use crate::commands::Execute;
use crate::state::SequenceKind;
use crate::{Platform, Tpm};
use evtpm_crypto::StreamingHash;
use evtpm_tpm_wire::commands::{SequenceComplete, SequenceCompleteHandles, SequenceCompleteResponse};
use evtpm_tpm_wire::{Overflow, Rc, Subject, Tpm2bDigest, TpmtTkHashcheck};

impl Execute for SequenceComplete<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: SequenceCompleteHandles,
    ) -> Result<SequenceCompleteResponse, Rc> {
        let (handle, data) = (handles.sequence_handle.handle(), self.buffer.as_bytes());
        let no_sequence = Rc::MODE.at(Subject::Handle(1));
        let (result, hashed) = match &tpm.sequence(handle).ok_or(no_sequence)?.kind {
            SequenceKind::Hash { hasher, safety } => {
                let mut hasher = hasher.0.clone();
                hasher.update(data);
                let alg = algorithm::wire_hash(hasher.alg());
                (take(hasher.finish().as_bytes())?, Some((alg, safety.after(data))))
            }
            SequenceKind::Hmac(mac) => (take(mac.clone().chain(data).finish().as_bytes())?, None),
            SequenceKind::Cmac(mac) => {
                let mut mac = mac.clone();
                // The key was looked at when the sequence began.
                let finished = mac.update::<P::Crypto>(data).and_then(|()| mac.finish::<P::Crypto>());
                (take(&finished.map_err(|_| Rc::FAILURE)?)?, None)
            }
            // "If sequenceHandle references an Event Sequence, then the TPM shall return TPM_RC_MODE."
            SequenceKind::Event(_) | SequenceKind::Sign(_) | SequenceKind::Verify(..) => return Err(no_sequence),
        };

        let validation = match hashed {
            Some((alg, safety)) => tpm.digest_ticket(self.hierarchy, alg, result.as_bytes(), safety),
            None => TpmtTkHashcheck::NULL,
        };

        // "If this command completes successfully, the sequenceHandle object will be flushed."
        tpm.state.objects.flush(handle).ok_or(no_sequence)?;
        Ok(SequenceCompleteResponse { result, validation })
    }
}

/// Every digest fits.
fn take(digest: &[u8]) -> Result<Tpm2bDigest, Rc> {
    Tpm2bDigest::new(digest).map_err(|Overflow| Rc::FAILURE)
}
