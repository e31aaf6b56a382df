// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_MAC_Start`, which is `TPM2_HMAC_Start` for keys of HMAC (Part 3, "TPM2_MAC_Start").

use crate::commands::Execute;
use crate::commands::symmetric::mac::MacKey;
use crate::state::{Loaded, Sequence, SequenceKind};
use crate::{Platform, Tpm};
use evtpm_crypto::{Cmac, Hmac};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{MacStart, MacStartHandles, MacStartResponse};

impl Execute for MacStart {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: MacStartHandles) -> Result<MacStartResponse, Rc> {
        let kind = match tpm.mac_key(handles.handle.handle(), self.in_scheme)? {
            MacKey::Hmac(alg, secret) => SequenceKind::Hmac(Hmac::new(alg, secret.as_bytes())),
            MacKey::Cmac(key) => SequenceKind::Cmac(Cmac::new(key.as_bytes()).map_err(|_| Rc::FAILURE)?),
        };

        let sequence = Sequence { auth: self.auth.without_trailing_zeros(), kind };

        let sequence_handle = tpm.state.objects.load(Loaded::Sequence(sequence))?;
        Ok(MacStartResponse { sequence_handle })
    }
}
