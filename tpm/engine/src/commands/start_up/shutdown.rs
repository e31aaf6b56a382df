// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_Shutdown` (Part 3, "TPM2_Shutdown").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::Shutdown;

impl Execute for Shutdown {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        // Everything stays in memory; that nothing changes from now on is what has to be remembered.
        tpm.state.orderly = Some(self.shutdown_type);
        Ok(())
    }
}
