// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PCR_Reset` (Part 3, "TPM2_PCR_Reset").

use crate::commands::Execute;
use crate::state::rule;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{PcrReset, PcrResetHandles};

impl Execute for PcrReset {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PcrResetHandles) -> Result<(), Rc> {
        // "TPM_RC_LOCALITY: current command locality is not allowed to reset the PCR referenced by pcrHandle"
        if !rule(handles.pcr_handle).may_reset(tpm.locality) {
            return Err(Rc::LOCALITY);
        }

        tpm.state.pcrs.reset(handles.pcr_handle);
        Ok(())
    }
}
