// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SequenceUpdate` (Part 3, "TPM2_SequenceUpdate").

use crate::commands::Execute;
use crate::state::SequenceKind;
use crate::{Platform, Tpm};
use evtpm_crypto::StreamingHash;
use evtpm_tpm_wire::commands::{SequenceUpdate, SequenceUpdateHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for SequenceUpdate<'_> {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: SequenceUpdateHandles) -> Result<(), Rc> {
        let sequence = tpm.state.objects.sequence_mut(handles.sequence_handle.handle());
        let sequence = sequence.ok_or(Rc::MODE.at(Subject::Handle(1)))?;

        let data = self.buffer.as_bytes();
        match &mut sequence.kind {
            SequenceKind::Hash { hasher, safety } => {
                *safety = safety.after(data);
                hasher.0.update(data);
            }
            SequenceKind::Hmac(mac) => mac.update(data),
            // The key was looked at when the sequence began.
            SequenceKind::Cmac(mac) => mac.update::<P::Crypto>(data).map_err(|_| Rc::FAILURE)?,
            SequenceKind::Event(hashers) => hashers.update(data),
            // "For EdDSA signing" the completion refuses a message that came in pieces.
            SequenceKind::Sign(message) => message.update(data),
            SequenceKind::Verify(message, ticket) => {
                message.update(data);
                ticket.update(data);
            }
        }
        Ok(())
    }
}
