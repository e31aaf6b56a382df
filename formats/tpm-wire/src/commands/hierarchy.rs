// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Hierarchy Commands".
use crate::{
    HashAlg, Tpm2bAuth, Tpm2bCreationData, Tpm2bData, Tpm2bDigest, Tpm2bName, Tpm2bPublic, Tpm2bSensitiveCreate,
    TpmiRhBaseHierarchy, TpmiRhClear, TpmiRhEnables, TpmiRhHierarchy, TpmiRhHierarchyAuth, TpmiRhHierarchyPolicy,
    TpmiRhPlatform, TpmlPcrSelection, TpmtTkCreation, YesNo, command,
};

command! {
    CREATE_PRIMARY [PP, READ_ONLY];
    handles CreatePrimaryHandles {
        @user primary_handle: TpmiRhHierarchy,
    }
    /// Makes a primary object under a primary seed (`TPM2_CreatePrimary`).
    command CreatePrimary {
        in_sensitive: Tpm2bSensitiveCreate,
        in_public: Tpm2bPublic,
        outside_info: Tpm2bData,
        creation_pcr: TpmlPcrSelection,
    }
    response CreatePrimaryResponse {
        @handle object_handle,
        out_public: Tpm2bPublic,
        creation_data: Tpm2bCreationData,
        creation_hash: Tpm2bDigest,
        creation_ticket: TpmtTkCreation,
        name: Tpm2bName,
    }
}

command! {
    HIERARCHY_CONTROL [NV, EXTENSIVE, PP, READ_ONLY];
    handles HierarchyControlHandles {
        @user auth_handle: TpmiRhBaseHierarchy,
    }
    /// Enables or disables a hierarchy (`TPM2_HierarchyControl`).
    command HierarchyControl {
        enable: TpmiRhEnables,
        state: YesNo,
    }
}

command! {
    SET_PRIMARY_POLICY [NV, PP, READ_ONLY];
    handles SetPrimaryPolicyHandles {
        @user auth_handle: TpmiRhHierarchyPolicy,
    }
    /// Gives a hierarchy a policy (`TPM2_SetPrimaryPolicy`).
    command SetPrimaryPolicy {
        auth_policy: Tpm2bDigest,
        hash_alg: Option<HashAlg>,
    }
}

command! {
    CHANGE_PPS [NV, EXTENSIVE, PP, READ_ONLY];
    handles ChangePpsHandles {
        @user auth_handle: TpmiRhPlatform,
    }
    /// Replaces the platform primary seed (`TPM2_ChangePPS`).
    command ChangePps {}
}

command! {
    CHANGE_EPS [NV, EXTENSIVE, PP, READ_ONLY];
    handles ChangeEpsHandles {
        @user auth_handle: TpmiRhPlatform,
    }
    /// Replaces the endorsement primary seed (`TPM2_ChangeEPS`).
    command ChangeEps {}
}

command! {
    CLEAR [NV, EXTENSIVE, PP, READ_ONLY];
    handles ClearHandles {
        @user auth_handle: TpmiRhClear,
    }
    /// Removes all context of the owner (`TPM2_Clear`).
    command Clear {}
}

command! {
    CLEAR_CONTROL [NV, PP, READ_ONLY];
    handles ClearControlHandles {
        @user auth: TpmiRhClear,
    }
    /// Enables or disables TPM2_Clear (`TPM2_ClearControl`).
    command ClearControl {
        disable: YesNo,
    }
}

command! {
    HIERARCHY_CHANGE_AUTH [NV, PP, READ_ONLY];
    handles HierarchyChangeAuthHandles {
        @user auth_handle: TpmiRhHierarchyAuth,
    }
    /// Changes the authorization value of a hierarchy or of lockout (`TPM2_HierarchyChangeAuth`).
    command HierarchyChangeAuth {
        new_auth: Tpm2bAuth,
    }
}

command! {
    READ_ONLY_CONTROL [PP];
    handles ReadOnlyControlHandles {
        @user auth_handle: TpmiRhPlatform,
    }
    /// Enters or leaves read-only mode (`TPM2_ReadOnlyControl`).
    command ReadOnlyControl {
        state: YesNo,
    }
}
