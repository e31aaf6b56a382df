// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ReadClock` (Part 3, "TPM2_ReadClock").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::Rc;
use evtpm_tpm_wire::commands::{ReadClock, ReadClockResponse};

impl Execute for ReadClock {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, (): ()) -> Result<ReadClockResponse, Rc> {
        Ok(ReadClockResponse { current_time: tpm.time_info() })
    }
}
