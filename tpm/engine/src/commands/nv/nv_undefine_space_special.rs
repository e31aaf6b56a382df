// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_NV_UndefineSpaceSpecial` (Part 3, "TPM2_NV_UndefineSpaceSpecial").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{NvUndefineSpaceSpecial, NvUndefineSpaceSpecialHandles};
use evtpm_tpm_wire::{Rc, Subject, TpmaNv};

impl Execute for NvUndefineSpaceSpecial {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: NvUndefineSpaceSpecialHandles) -> Result<(), Rc> {
        let handle = handles.nv_index.handle();
        let index = tpm.nv_index(handle).ok_or(Rc::HANDLE.at(Subject::Handle(1)))?;
        // "TPMA_NV_PLATFORMCREATE or TPMA_NV_POLICY_DELETE attribute CLEAR, the TPM shall return TPM_RC_ATTRIBUTES"
        if !index.public.attributes.contains(TpmaNv::PLATFORMCREATE | TpmaNv::POLICY_DELETE) {
            return Err(Rc::ATTRIBUTES.at(Subject::Handle(1)));
        }

        tpm.state.nv.undefine(handle);
        Ok(())
    }
}
