// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Object Commands".
use crate::{
    Tpm2bAuth, Tpm2bCreationData, Tpm2bData, Tpm2bDigest, Tpm2bEncryptedSecret, Tpm2bEncryptedSecretIn, Tpm2bIdObject,
    Tpm2bName, Tpm2bPrivate, Tpm2bPrivateIn, Tpm2bPublic, Tpm2bPublicPlus, Tpm2bSensitive, Tpm2bSensitiveCreate,
    Tpm2bSensitiveData, Tpm2bTemplate, TpmiDhObject, TpmiDhParent, TpmiRhHierarchy, TpmlPcrSelection, TpmtTkCreation,
    command,
};

command! {
    CREATE [READ_ONLY];
    handles CreateHandles {
        @user parent_handle: TpmiDhObject,
    }
    /// Makes an object under a parent (`TPM2_Create`).
    command Create {
        in_sensitive: Tpm2bSensitiveCreate,
        in_public: Tpm2bPublic,
        outside_info: Tpm2bData,
        creation_pcr: TpmlPcrSelection,
    }
    response CreateResponse {
        out_private: Tpm2bPrivate,
        out_public: Tpm2bPublic,
        creation_data: Tpm2bCreationData,
        creation_hash: Tpm2bDigest,
        creation_ticket: TpmtTkCreation,
    }
}

command! {
    LOAD [];
    handles LoadHandles {
        @user parent_handle: TpmiDhObject,
    }
    /// Loads an object into the TPM (`TPM2_Load`).
    command Load<'a> {
        in_private: Tpm2bPrivateIn<'a>,
        in_public: Tpm2bPublic,
    }
    response LoadResponse {
        @handle object_handle,
        name: Tpm2bName,
    }
}

command! {
    LOAD_EXTERNAL [];
    /// Loads an object that is not protected by this TPM (`TPM2_LoadExternal`).
    command LoadExternal {
        in_private: Tpm2bSensitive,
        in_public: Tpm2bPublicPlus,
        hierarchy: TpmiRhHierarchy,
    }
    response LoadExternalResponse {
        @handle object_handle,
        name: Tpm2bName,
    }
}

command! {
    READ_PUBLIC [];
    handles ReadPublicHandles {
        object_handle: TpmiDhObject,
    }
    /// Returns the public area of a loaded object (`TPM2_ReadPublic`).
    command ReadPublic {}
    response ReadPublicResponse {
        out_public: Tpm2bPublicPlus,
        name: Tpm2bName,
        qualified_name: Tpm2bName,
    }
}

command! {
    ACTIVATE_CREDENTIAL [];
    handles ActivateCredentialHandles {
        @admin activate_handle: TpmiDhObject,
        @user key_handle: TpmiDhObject,
    }
    /// Opens a credential that belongs to a loaded object (`TPM2_ActivateCredential`).
    command ActivateCredential<'a> {
        credential_blob: Tpm2bIdObject,
        secret: Tpm2bEncryptedSecretIn<'a>,
    }
    response ActivateCredentialResponse {
        cert_info: Tpm2bDigest,
    }
}

command! {
    MAKE_CREDENTIAL [];
    handles MakeCredentialHandles {
        handle: TpmiDhObject,
    }
    /// Protects a credential for an object of another TPM (`TPM2_MakeCredential`).
    command MakeCredential {
        credential: Tpm2bDigest,
        object_name: Tpm2bName,
    }
    response MakeCredentialResponse {
        credential_blob: Tpm2bIdObject,
        secret: Tpm2bEncryptedSecret,
    }
}

command! {
    UNSEAL [];
    handles UnsealHandles {
        @user item_handle: TpmiDhObject,
    }
    /// Returns the data of a sealed object (`TPM2_Unseal`).
    command Unseal {}
    response UnsealResponse {
        out_data: Tpm2bSensitiveData,
    }
}

command! {
    OBJECT_CHANGE_AUTH [READ_ONLY];
    handles ObjectChangeAuthHandles {
        @admin object_handle: TpmiDhObject,
        parent_handle: TpmiDhObject,
    }
    /// Makes a private blob with another authorization value (`TPM2_ObjectChangeAuth`).
    command ObjectChangeAuth {
        new_auth: Tpm2bAuth,
    }
    response ObjectChangeAuthResponse {
        out_private: Tpm2bPrivate,
    }
}

command! {
    CREATE_LOADED [PP, READ_ONLY];
    handles CreateLoadedHandles {
        @user parent_handle: TpmiDhParent,
    }
    /// Makes an object and loads it (`TPM2_CreateLoaded`).
    command CreateLoaded<'a> {
        in_sensitive: Tpm2bSensitiveCreate,
        in_public: Tpm2bTemplate<'a>,
    }
    response CreateLoadedResponse {
        @handle object_handle,
        out_private: Tpm2bPrivate,
        out_public: Tpm2bPublic,
        name: Tpm2bName,
    }
}
