// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Dictionary Attack Functions".
use crate::{TpmiRhLockout, command};

command! {
    DICTIONARY_ATTACK_LOCK_RESET [NV];
    handles DictionaryAttackLockResetHandles {
        @user lock_handle: TpmiRhLockout,
    }
    /// Ends a lockout (`TPM2_DictionaryAttackLockReset`).
    command DictionaryAttackLockReset {}
}

command! {
    DICTIONARY_ATTACK_PARAMETERS [NV, READ_ONLY];
    handles DictionaryAttackParametersHandles {
        @user lock_handle: TpmiRhLockout,
    }
    /// Sets the parameters of the dictionary attack protection (`TPM2_DictionaryAttackParameters`).
    command DictionaryAttackParameters {
        new_max_tries: u32,
        new_recovery_time: u32,
        lockout_recovery: u32,
    }
}
