// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_GetRandom` (Part 3, "TPM2_GetRandom").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{GetRandom, GetRandomResponse};
use evtpm_tpm_wire::{MAX_DIGEST, Rc, Tpm2bDigest};

impl Execute for GetRandom {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<GetRandomResponse, Rc> {
        // "If bytesRequested is more than will fit into a TPM2B_DIGEST on the TPM, no error is returned but the TPM will
        // only return as much data as will fit"
        let size = usize::from(self.bytes_requested).min(MAX_DIGEST);
        let mut random_bytes = Tpm2bDigest::zeros(size).map_err(|_| Rc::FAILURE)?;
        tpm.random(random_bytes.as_mut_bytes())?;
        Ok(GetRandomResponse { random_bytes })
    }
}
