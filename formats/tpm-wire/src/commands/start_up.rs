// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Start-up".
use crate::{TpmSu, command};

command! {
    STARTUP [NO_SESSIONS, NV];
    /// Ends the initialization after _TPM_Init (`TPM2_Startup`).
    command Startup {
        startup_type: TpmSu,
    }
}

command! {
    SHUTDOWN [NV];
    /// Prepares the TPM for a loss of power (`TPM2_Shutdown`).
    command Shutdown {
        shutdown_type: TpmSu,
    }
}
