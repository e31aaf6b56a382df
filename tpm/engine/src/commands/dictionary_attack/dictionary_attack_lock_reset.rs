// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_DictionaryAttackLockReset` (Part 3, "TPM2_DictionaryAttackLockReset").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{DictionaryAttackLockReset, DictionaryAttackLockResetHandles};

impl Execute for DictionaryAttackLockReset {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: DictionaryAttackLockResetHandles) -> Result<(), Rc> {
        tpm.da.reset();
        Ok(())
    }
}
