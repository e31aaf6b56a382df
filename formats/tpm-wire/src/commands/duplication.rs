// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Duplication Commands".
use crate::{
    Tpm2bData, Tpm2bEncryptedSecret, Tpm2bEncryptedSecretIn, Tpm2bName, Tpm2bPrivate, Tpm2bPrivateIn, Tpm2bPublic,
    TpmiDhObject, TpmtSymDefObject, command,
};

command! {
    DUPLICATE [];
    handles DuplicateHandles {
        @dup object_handle: TpmiDhObject,
        new_parent_handle: Option<TpmiDhObject>,
    }
    /// Wraps an object for another parent (`TPM2_Duplicate`).
    command Duplicate {
        encryption_key_in: Tpm2bData,
        symmetric_alg: Option<TpmtSymDefObject>,
    }
    response DuplicateResponse {
        encryption_key_out: Tpm2bData,
        duplicate: Tpm2bPrivate,
        out_sym_seed: Tpm2bEncryptedSecret,
    }
}

command! {
    REWRAP [];
    handles RewrapHandles {
        @user old_parent: Option<TpmiDhObject>,
        new_parent: Option<TpmiDhObject>,
    }
    /// Moves the outer wrapper of a duplicate to another parent (`TPM2_Rewrap`).
    command Rewrap<'a> {
        in_duplicate: Tpm2bPrivateIn<'a>,
        name: Tpm2bName,
        in_sym_seed: Tpm2bEncryptedSecretIn<'a>,
    }
    response RewrapResponse {
        out_duplicate: Tpm2bPrivate,
        out_sym_seed: Tpm2bEncryptedSecret,
    }
}

command! {
    IMPORT [];
    handles ImportHandles {
        @user parent_handle: TpmiDhObject,
    }
    /// Makes a duplicate an object of this parent (`TPM2_Import`).
    command Import<'a> {
        encryption_key: Tpm2bData,
        object_public: Tpm2bPublic,
        duplicate: Tpm2bPrivateIn<'a>,
        in_sym_seed: Tpm2bEncryptedSecretIn<'a>,
        symmetric_alg: Option<TpmtSymDefObject>,
    }
    response ImportResponse {
        out_private: Tpm2bPrivate,
    }
}
