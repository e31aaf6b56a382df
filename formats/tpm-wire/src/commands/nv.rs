// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Non-volatile Storage".
use crate::{
    Buf, MAX_NV_BUFFER, Tpm2bAttest, Tpm2bAuth, Tpm2bData, Tpm2bMaxNvBuffer, Tpm2bName, Tpm2bNvPublic, Tpm2bNvPublic2,
    TpmiDhObject, TpmiRhNvAuth, TpmiRhNvDefinedIndex, TpmiRhNvIndex, TpmiRhPlatform, TpmiRhProvision, TpmtSigScheme,
    TpmtSignature, command,
};

command! {
    NV_DEFINE_SPACE [NV, PP, READ_ONLY];
    handles NvDefineSpaceHandles {
        @user auth_handle: TpmiRhProvision,
    }
    /// Defines an NV index (`TPM2_NV_DefineSpace`).
    command NvDefineSpace {
        auth: Tpm2bAuth,
        public_info: Tpm2bNvPublic,
    }
}

command! {
    NV_UNDEFINE_SPACE [NV, PP, READ_ONLY];
    handles NvUndefineSpaceHandles {
        @user auth_handle: TpmiRhProvision,
        nv_index: TpmiRhNvDefinedIndex,
    }
    /// Removes an NV index (`TPM2_NV_UndefineSpace`).
    command NvUndefineSpace {}
}

command! {
    NV_UNDEFINE_SPACE_SPECIAL [NV, PP, READ_ONLY];
    handles NvUndefineSpaceSpecialHandles {
        @admin nv_index: TpmiRhNvDefinedIndex,
        @user platform: TpmiRhPlatform,
    }
    /// Removes a platform index that only its policy may remove (`TPM2_NV_UndefineSpaceSpecial`).
    command NvUndefineSpaceSpecial {}
}

command! {
    NV_READ_PUBLIC [];
    handles NvReadPublicHandles {
        nv_index: TpmiRhNvIndex,
    }
    /// Returns public area and Name of an NV index (`TPM2_NV_ReadPublic`).
    command NvReadPublic {}
    response NvReadPublicResponse {
        nv_public: Tpm2bNvPublic,
        nv_name: Tpm2bName,
    }
}

command! {
    NV_WRITE [NV];
    handles NvWriteHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Writes to an NV index (`TPM2_NV_Write`).
    command NvWrite<'a> {
        data: Tpm2bMaxNvBuffer<'a>,
        offset: u16,
    }
}

command! {
    NV_INCREMENT [NV, READ_ONLY];
    handles NvIncrementHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Increments a counter index (`TPM2_NV_Increment`).
    command NvIncrement {}
}

command! {
    NV_EXTEND [NV];
    handles NvExtendHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Extends an extend index (`TPM2_NV_Extend`).
    command NvExtend<'a> {
        data: Tpm2bMaxNvBuffer<'a>,
    }
}

command! {
    NV_SET_BITS [NV];
    handles NvSetBitsHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Sets bits of a bits index (`TPM2_NV_SetBits`).
    command NvSetBits {
        bits: u64,
    }
}

command! {
    NV_WRITE_LOCK [NV];
    handles NvWriteLockHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Locks an NV index against writes (`TPM2_NV_WriteLock`).
    command NvWriteLock {}
}

command! {
    NV_GLOBAL_WRITE_LOCK [NV, PP, READ_ONLY];
    handles NvGlobalWriteLockHandles {
        @user auth_handle: TpmiRhProvision,
    }
    /// Locks each index that has GLOBALLOCK against writes (`TPM2_NV_GlobalWriteLock`).
    command NvGlobalWriteLock {}
}

command! {
    NV_READ [];
    handles NvReadHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Reads from an NV index (`TPM2_NV_Read`).
    command NvRead {
        size: u16,
        offset: u16,
    }
    response NvReadResponse {
        data: Buf<MAX_NV_BUFFER>,
    }
}

command! {
    NV_READ_LOCK [NV];
    handles NvReadLockHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Locks an NV index against reads (`TPM2_NV_ReadLock`).
    command NvReadLock {}
}

command! {
    NV_CHANGE_AUTH [NV, READ_ONLY];
    handles NvChangeAuthHandles {
        @admin nv_index: TpmiRhNvIndex,
    }
    /// Changes the authorization value of an NV index (`TPM2_NV_ChangeAuth`).
    command NvChangeAuth {
        new_auth: Tpm2bAuth,
    }
}

command! {
    NV_DEFINE_SPACE2 [NV, PP, READ_ONLY];
    handles NvDefineSpace2Handles {
        @user auth_handle: TpmiRhProvision,
    }
    /// Defines an NV index of either kind (`TPM2_NV_DefineSpace2`).
    command NvDefineSpace2 {
        auth: Tpm2bAuth,
        public_info: Tpm2bNvPublic2,
    }
}

command! {
    NV_READ_PUBLIC2 [];
    handles NvReadPublic2Handles {
        nv_index: TpmiRhNvIndex,
    }
    /// Returns public area and Name of an NV index of either kind (`TPM2_NV_ReadPublic2`).
    command NvReadPublic2 {}
    response NvReadPublic2Response {
        nv_public: Tpm2bNvPublic2,
        nv_name: Tpm2bName,
    }
}

command! {
    NV_CERTIFY [];
    handles NvCertifyHandles {
        @user sign_handle: Option<TpmiDhObject>,
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
    }
    /// Attests the contents of an NV index (`TPM2_NV_Certify`).
    command NvCertify {
        qualifying_data: Tpm2bData,
        in_scheme: Option<TpmtSigScheme>,
        size: u16,
        offset: u16,
    }
    response NvCertifyResponse {
        certify_info: Tpm2bAttest,
        signature: Option<TpmtSignature>,
    }
}
