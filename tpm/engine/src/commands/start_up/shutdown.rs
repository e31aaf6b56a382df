// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Shutdown` (Part 3, "TPM2_Shutdown").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::Shutdown;
use evtpm_tpm_wire::{Rc, Subject, TpmSu};

impl Execute for Shutdown {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        // PCR_Allocate: "After this command, TPM2_Shutdown() is only allowed to have a startupType equal to TPM_SU_CLEAR"
        if self.shutdown_type == TpmSu::State && tpm.state.pcrs.is_planned() {
            return Err(Rc::TYPE.at(Subject::Parameter(1)));
        }

        // Everything stays in memory; that nothing changes from now on is what has to be remembered.
        tpm.state.orderly = Some(self.shutdown_type);
        // "The ACT timeouts are saved by TPM2_Shutdown(TPM_SU_STATE).": they are not what they were when time has passed
        if self.shutdown_type == TpmSu::State {
            tpm.state.countdowns.save(tpm.clock.time());
        }
        Ok(())
    }
}
