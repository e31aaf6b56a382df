// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Miscellaneous Management Functions".
use crate::{TpmiRhPlatform, TpmlCc, command};

command! {
    PP_COMMANDS [NV, PP_REQUIRED, READ_ONLY];
    handles PpCommandsHandles {
        @user auth: TpmiRhPlatform,
    }
    /// Chooses which commands need physical presence (`TPM2_PP_Commands`).
    command PpCommands {
        set_list: TpmlCc,
        clear_list: TpmlCc,
    }
}

command! {
    SET_ALGORITHM_SET [NV, READ_ONLY];
    handles SetAlgorithmSetHandles {
        @user auth_handle: TpmiRhPlatform,
    }
    /// Chooses a vendor-defined set of algorithms (`TPM2_SetAlgorithmSet`).
    command SetAlgorithmSet {
        algorithm_set: u32,
    }
}
