// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_PolicyNV` (Part 3, "TPM2_PolicyNV").

use super::comparison::holds;
use crate::commands::Execute;
use crate::{Platform, Tpm, name};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{PolicyNv, PolicyNvHandles};

impl Execute for PolicyNv {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: PolicyNvHandles) -> Result<(), Rc> {
        let mut evaluation = tpm.evaluation(handles.policy_session)?;
        let operand = self.operand_b.as_bytes();
        let index = tpm.nv_for_evaluation(&evaluation, handles.auth_handle, handles.nv_index)?;
        if !evaluation.is_trial() {
            let start = usize::from(self.offset);
            let range = start..start.saturating_add(operand.len());
            let data = index.data.as_slice().get(range).ok_or(Rc::NV_RANGE)?;
            if !holds(self.operation, data, operand) {
                return Err(Rc::POLICY);
            }
        }

        let nv_name = name::of_nv_index::<P::Crypto>(&index.public);
        evaluation.extend(|digest| digest.nv::<P::Crypto>(operand, self.offset, self.operation, nv_name.as_bytes()))?;

        tpm.keep_evaluation(evaluation);
        Ok(())
    }
}
