// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_IncrementalSelfTest` (Part 3, "TPM2_IncrementalSelfTest").

use crate::commands::Execute;
use crate::self_test::covers;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{IncrementalSelfTest, IncrementalSelfTestResponse};
use evtpm_tpm_wire::{Rc, TpmAlgId, TpmlAlg};

impl Execute for IncrementalSelfTest {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<IncrementalSelfTestResponse, Rc> {
        let wanted = &self.to_test;
        tpm.self_test(|test| wanted.iter().any(|alg| covers(test, *alg)), false)?;

        let mut to_do_list = TpmlAlg::new();
        for alg in (0..=u8::MAX).map(|number| TpmAlgId(u16::from(number))) {
            if tpm.profile.supported.algorithms.contains(alg) && !tpm.state.is_tested(&tpm.profile.supported, alg) {
                to_do_list.push(alg).map_err(|_| Rc::FAILURE)?;
            }
        }
        Ok(IncrementalSelfTestResponse { to_do_list })
    }
}
