// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SignSequenceStart` (Part 3, "TPM2_SignSequenceStart").

use super::signature::Start;
use crate::commands::Execute;
use crate::state::{Loaded, Sequence, SequenceKind};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{SignSequenceStart, SignSequenceStartHandles, SignSequenceStartResponse};

impl Execute for SignSequenceStart<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: SignSequenceStartHandles,
    ) -> Result<SignSequenceStartResponse, Rc> {
        tpm.state.objects.room()?;
        let message = tpm.start_message(handles.key_handle.handle(), self.context.as_bytes(), &Start::Sign)?;

        let sequence = Sequence { auth: self.auth.without_trailing_zeros(), kind: SequenceKind::Sign(message) };

        let sequence_handle = tpm.state.objects.load(Loaded::Sequence(sequence))?;
        Ok(SignSequenceStartResponse { sequence_handle })
    }
}
