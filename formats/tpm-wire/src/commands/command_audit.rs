// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Command Audit".
use crate::{HashAlg, TpmiRhProvision, TpmlCc, command};

command! {
    SET_COMMAND_CODE_AUDIT_STATUS [NV, PP, READ_ONLY];
    handles SetCommandCodeAuditStatusHandles {
        @user auth: TpmiRhProvision,
    }
    /// Chooses which commands are audited (`TPM2_SetCommandCodeAuditStatus`).
    command SetCommandCodeAuditStatus {
        audit_alg: Option<HashAlg>,
        set_list: TpmlCc,
        clear_list: TpmlCc,
    }
}
