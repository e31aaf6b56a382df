// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM2_ClockRateAdjust` (Part 3, "TPM2_ClockRateAdjust").

use crate::commands::Execute;
use crate::state::TooFar;
use crate::{Platform, Tpm};
use evtpm_tpm_wire::commands::{ClockRateAdjust, ClockRateAdjustHandles};
use evtpm_tpm_wire::{Rc, Subject};

impl Execute for ClockRateAdjust {
    fn run<P: Platform>(self, tpm: &mut Tpm<P>, _: ClockRateAdjustHandles) -> Result<(), Rc> {
        // "If the requested adjustment would make the rate advance faster or slower than the nominal accuracy of the input
        // frequency, the TPM shall return TPM_RC_VALUE."
        tpm.clock.adjust(self.rate_adjust).map_err(|TooFar| Rc::VALUE.at(Subject::Parameter(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestTpm, started};
    use evtpm_tpm_wire::commands::ReadClock;
    use evtpm_tpm_wire::{TpmClockAdjust, TpmiRhProvision};

    fn adjust(tpm: &mut TestTpm, rate_adjust: TpmClockAdjust) -> Result<(), Rc> {
        tpm.send(&ClockRateAdjust { rate_adjust }, ClockRateAdjustHandles { auth: TpmiRhProvision::Owner })
    }

    #[test]
    fn clock_and_time_run_at_the_adjusted_rate() {
        let mut tpm = started();
        adjust(&mut tpm, TpmClockAdjust::CoarseSlower).unwrap();
        tpm.platform_mut().now += 100_000;
        let current = tpm.send(&ReadClock {}, ()).unwrap().current_time;
        assert_eq!((current.time, current.clock_info.clock), (99_000, 99_000));
    }

    #[test]
    fn a_rate_that_no_clock_has_is_a_value_error() {
        let mut tpm = started();
        let last = (0..20).map(|_| adjust(&mut tpm, TpmClockAdjust::CoarseFaster)).find(Result::is_err);
        assert_eq!(last, Some(Err(Rc::VALUE.at(Subject::Parameter(1)))));
    }
}
