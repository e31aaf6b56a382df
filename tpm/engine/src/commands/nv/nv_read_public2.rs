// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_ReadPublic2` (Part 3, "TPM2_NV_ReadPublic2").

use crate::commands::Execute;
use crate::{Platform, Tpm, name};
use evtpm_tpm_wire::commands::{NvReadPublic2, NvReadPublic2Handles, NvReadPublic2Response};
use evtpm_tpm_wire::{Rc, Subject, Tpm2b};

impl Execute for NvReadPublic2 {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvReadPublic2Handles) -> Result<NvReadPublic2Response, Rc> {
        let index = tpm.nv_index(handles.nv_index.handle()).ok_or(Rc::HANDLE.at(Subject::Handle(1)))?;

        // "The Name of a TPM_HT_NV_INDEX is consistent whether it is returned from TPM2_NV_ReadPublic() or
        // TPM2_NV_ReadPublic2()."
        let nv_name = name::of_nv_index::<P::Crypto>(&index.public);
        Ok(NvReadPublic2Response { nv_public: Tpm2b(index.public.to_wire().ok_or(Rc::FAILURE)?), nv_name })
    }
}
