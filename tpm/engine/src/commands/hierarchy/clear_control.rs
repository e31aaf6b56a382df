// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ClearControl` (Part 3, "TPM2_ClearControl").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{ClearControl, ClearControlHandles};
use evtpm_tpm_wire::{Rc, TpmiRhClear};

impl Execute for ClearControl {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: ClearControlHandles) -> Result<(), Rc> {
        // "TPM_RC_AUTH_FAIL: authorization is not properly given": lockoutAuth may disable, only the platform may enable
        if handles.auth == TpmiRhClear::Lockout && !self.disable.is_yes() {
            return Err(Rc::AUTH_FAIL);
        }

        tpm.state.hierarchies.clear_disabled = self.disable.is_yes();
        Ok(())
    }
}
