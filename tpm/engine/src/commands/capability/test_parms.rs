// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_TestParms` (Part 3, "TPM2_TestParms").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::TestParms;

impl Execute for TestParms {
    fn run<P: Platform>(self, _: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        // "the TPM will return ... the appropriate unmarshaling error if a parameter is not valid": it was, so it is.
        Ok(())
    }
}
