// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_DictionaryAttackParameters` (Part 3, "TPM2_DictionaryAttackParameters").

use crate::commands::Execute;
use crate::state::DaParameters;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{DictionaryAttackParameters, DictionaryAttackParametersHandles};

impl Execute for DictionaryAttackParameters {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: DictionaryAttackParametersHandles) -> Result<(), Rc> {
        tpm.state.da_parameters = DaParameters {
            max_tries: self.new_max_tries,
            recovery_seconds: self.new_recovery_time,
            lockout_recovery_seconds: self.lockout_recovery,
        };
        // "the timers restart": time that has passed under the old interval forgives nothing under the new one
        tpm.da.restart_healing(tpm.clock.time());
        Ok(())
    }
}
