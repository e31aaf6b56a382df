// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ClockSet` (Part 3, "TPM2_ClockSet").

use crate::commands::Execute;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{ClockSet, ClockSetHandles};
use evtpm_tpm_wire::{Rc, Subject};

/// "a value that ... would make Clock greater than FFFF000000000000 (hex)" is refused.
const LIMIT: u64 = 0xFFFF_0000_0000_0000;

impl Execute for ClockSet {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: ClockSetHandles) -> Result<(), Rc> {
        // "newTime is less than the current value of Clock": the clock only ever moves forward
        if self.new_time > LIMIT || self.new_time < tpm.clock.clock() {
            return Err(Rc::VALUE.at(Subject::Parameter(1)));
        }

        tpm.clock.set_clock(self.new_time);
        Ok(())
    }
}
