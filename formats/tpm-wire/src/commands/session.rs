// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Session Commands".
use crate::{
    HashAlg, Tpm2bEncryptedSecretIn, Tpm2bNonce, TpmSe, TpmiDhEntity, TpmiDhObject, TpmiShPolicy, TpmtSymDef, command,
};

command! {
    START_AUTH_SESSION [];
    handles StartAuthSessionHandles {
        tpm_key: Option<TpmiDhObject>,
        bind: Option<TpmiDhEntity>,
    }
    /// Starts an authorization session (`TPM2_StartAuthSession`).
    command StartAuthSession<'a> {
        nonce_caller: Tpm2bNonce,
        encrypted_salt: Tpm2bEncryptedSecretIn<'a>,
        session_type: TpmSe,
        symmetric: Option<TpmtSymDef>,
        auth_hash: HashAlg,
    }
    response StartAuthSessionResponse {
        @handle session_handle,
        nonce_tpm: Tpm2bNonce,
    }
}

command! {
    POLICY_RESTART [TRIAL];
    handles PolicyRestartHandles {
        session_handle: TpmiShPolicy,
    }
    /// Returns a policy session to its initial state (`TPM2_PolicyRestart`).
    command PolicyRestart {}
}
