// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ReadPublic` (Part 3, "TPM2_ReadPublic").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{ReadPublic, ReadPublicHandles, ReadPublicResponse};
use evtpm_tpm_wire::{Overflow, Rc, Tpm2b, TpmtPublicPlus};

impl Execute for ReadPublic {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: ReadPublicHandles) -> Result<ReadPublicResponse, Rc> {
        // "If objectHandle references a sequence object, the TPM shall return TPM_RC_SEQUENCE."
        let object = tpm.object(handles.object_handle.handle()).ok_or(Rc::SEQUENCE)?;
        let public = object.public.copy().map_err(|Overflow| Rc::MEMORY)?;
        Ok(ReadPublicResponse {
            out_public: Tpm2b(TpmtPublicPlus(public)),
            name: object.name,
            qualified_name: object.qualified_name,
        })
    }
}
