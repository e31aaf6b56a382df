// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Authenticated Countdown Timer".
use crate::{TpmiRhAct, command};

command! {
    ACT_SET_TIMEOUT [];
    handles ActSetTimeoutHandles {
        @user act_handle: TpmiRhAct,
    }
    /// Starts or stops an authenticated countdown timer (`TPM2_ACT_SetTimeout`).
    command ActSetTimeout {
        start_timeout: u32,
    }
}
