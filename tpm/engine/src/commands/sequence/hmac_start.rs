// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_HMAC_Start` (Part 3, "TPM2_HMAC_Start").

use crate::commands::Execute;
use crate::state::{Loaded, Sequence, SequenceKind};
use crate::{Platform, Tpm};
use evtpm_crypto::Hmac;
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{HmacStart, HmacStartHandles, HmacStartResponse};

impl Execute for HmacStart {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: HmacStartHandles) -> Result<HmacStartResponse, Rc> {
        tpm.state.objects.room()?;
        let (secret, alg) = tpm.hmac_key(handles.handle.handle(), self.hash_alg)?;

        let kind = SequenceKind::Hmac(Hmac::new(alg, secret.as_bytes()));
        let sequence = Sequence { auth: self.auth.without_trailing_zeros(), kind };

        let sequence_handle = tpm.state.objects.load(Loaded::Sequence(sequence))?;
        Ok(HmacStartResponse { sequence_handle })
    }
}
