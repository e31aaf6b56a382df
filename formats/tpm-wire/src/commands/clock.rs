// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Clocks and Timers".
use crate::{TpmClockAdjust, TpmiRhProvision, TpmsTimeInfo, command};

command! {
    READ_CLOCK [];
    /// Returns time and clock (`TPM2_ReadClock`).
    command ReadClock {}
    response ReadClockResponse {
        current_time: TpmsTimeInfo,
    }
}

command! {
    CLOCK_SET [NV, PP, READ_ONLY];
    handles ClockSetHandles {
        @user auth: TpmiRhProvision,
    }
    /// Advances the clock (`TPM2_ClockSet`).
    command ClockSet {
        new_time: u64,
    }
}

command! {
    CLOCK_RATE_ADJUST [PP, READ_ONLY];
    handles ClockRateAdjustHandles {
        @user auth: TpmiRhProvision,
    }
    /// Adjusts the rate of the clock (`TPM2_ClockRateAdjust`).
    command ClockRateAdjust {
        rate_adjust: TpmClockAdjust,
    }
}
