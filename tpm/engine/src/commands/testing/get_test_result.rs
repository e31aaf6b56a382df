// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_GetTestResult` (Part 3, "TPM2_GetTestResult"): the one command, with `TPM2_GetCapability`, that failure mode takes.

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{GetTestResult, GetTestResultResponse};
use evtpm_tpm_wire::{Buf, Rc};

impl Execute for GetTestResult {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<GetTestResultResponse, Rc> {
        let (test_result, reason) = tpm.test_result();
        let out_data = Buf::new(&reason.to_be_bytes()).map_err(|_| Rc::FAILURE)?;
        Ok(GetTestResultResponse { out_data, test_result })
    }
}
