// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_SelfTest` (Part 3, "TPM2_SelfTest").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::SelfTest;

impl Execute for SelfTest {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<(), Rc> {
        // "If fullTest is YES, the TPM will test all functions ... NO: only those that have not been tested"
        tpm.self_test(|_| true, self.full_test.is_yes())
    }
}
