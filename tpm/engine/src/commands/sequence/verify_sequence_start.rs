// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_VerifySequenceStart` (Part 3, "TPM2_VerifySequenceStart").

use super::signature::Start;
use crate::commands::Execute;
use crate::state::{Hierarchy, Loaded, Sequence, SequenceKind};
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{VerifySequenceStart, VerifySequenceStartHandles, VerifySequenceStartResponse};

impl Execute for VerifySequenceStart<'_> {
    fn run<P: Platform>(
        self,
        tpm: &mut Tpm<P>,
        handles: VerifySequenceStartHandles,
    ) -> Result<VerifySequenceStartResponse, Rc> {
        tpm.state.objects.room()?;
        let (key, start) = (handles.key_handle.handle(), Start::Verify(self.hint.as_bytes()));
        let message = tpm.start_message(key, self.context.as_bytes(), &start)?;

        let hierarchy = tpm.object(key).map_or(Hierarchy::Null, |key| key.hierarchy);
        let kind = SequenceKind::Verify(message, tpm.message_ticket(hierarchy));
        let sequence = Sequence { auth: self.auth.without_trailing_zeros(), kind };

        let sequence_handle = tpm.state.objects.load(Loaded::Sequence(sequence))?;
        Ok(VerifySequenceStartResponse { sequence_handle })
    }
}
