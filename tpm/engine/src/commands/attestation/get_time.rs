// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_GetTime` (Part 3, "TPM2_GetTime").

use super::attest::Signer;
use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{GetTime, GetTimeHandles, GetTimeResponse};
use evtpm_tpm_wire::{Rc, TpmsTimeAttestInfo, TpmuAttest};

impl Execute for GetTime {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, handles: GetTimeHandles) -> Result<GetTimeResponse, Rc> {
        let signer = Signer::find(tpm, (handles.sign_handle, 2), (self.in_scheme, 2))?;

        // "the values in TPMS_ATTEST.attested.time are not" obfuscated: the privacy administrator allowed it
        let info = TpmsTimeAttestInfo { time: tpm.time_info(), firmware_version: tpm.firmware_version() };
        let (time_info, signature) = tpm.attest(&signer, &self.qualifying_data, TpmuAttest::Time(info))?;

        Ok(GetTimeResponse { time_info, signature })
    }
}
