// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Integrity Collection (PCR)".
use crate::{
    HashAlg, PcrIndex, Tpm2bDigest, Tpm2bEvent, TpmiRhPlatform, TpmlDigest, TpmlDigestValues, TpmlDigestValuesIn,
    TpmlPcrSelection, YesNo, command,
};

command! {
    PCR_EXTEND [NV];
    handles PcrExtendHandles {
        @user pcr_handle: Option<PcrIndex>,
    }
    /// Extends a PCR in the listed banks (`TPM2_PCR_Extend`).
    command PcrExtend<'a> {
        digests: TpmlDigestValuesIn<'a>,
    }
}

command! {
    PCR_EVENT [NV];
    handles PcrEventHandles {
        @user pcr_handle: Option<PcrIndex>,
    }
    /// Hashes data and extends a PCR in each bank (`TPM2_PCR_Event`).
    command PcrEvent<'a> {
        event_data: Tpm2bEvent<'a>,
    }
    response PcrEventResponse {
        digests: TpmlDigestValues,
    }
}

command! {
    PCR_READ [];
    /// Returns the values of PCRs (`TPM2_PCR_Read`).
    command PcrRead {
        pcr_selection_in: TpmlPcrSelection,
    }
    response PcrReadResponse {
        pcr_update_counter: u32,
        pcr_selection_out: TpmlPcrSelection,
        pcr_values: TpmlDigest,
    }
}

command! {
    PCR_ALLOCATE [NV, PP, READ_ONLY];
    handles PcrAllocateHandles {
        @user auth_handle: TpmiRhPlatform,
    }
    /// Chooses which PCRs exist after the next reset (`TPM2_PCR_Allocate`).
    command PcrAllocate {
        pcr_allocation: TpmlPcrSelection,
    }
    response PcrAllocateResponse {
        allocation_success: YesNo,
        max_pcr: u32,
        size_needed: u32,
        size_available: u32,
    }
}

command! {
    PCR_SET_AUTH_POLICY [NV, PP, READ_ONLY];
    handles PcrSetAuthPolicyHandles {
        @user auth_handle: TpmiRhPlatform,
    }
    /// Gives PCRs a policy (`TPM2_PCR_SetAuthPolicy`).
    command PcrSetAuthPolicy {
        auth_policy: Tpm2bDigest,
        hash_alg: Option<HashAlg>,
        pcr_num: PcrIndex,
    }
}

command! {
    PCR_SET_AUTH_VALUE [READ_ONLY];
    handles PcrSetAuthValueHandles {
        @user pcr_handle: PcrIndex,
    }
    /// Gives PCRs an authorization value (`TPM2_PCR_SetAuthValue`).
    command PcrSetAuthValue {
        auth: Tpm2bDigest,
    }
}

command! {
    PCR_RESET [NV];
    handles PcrResetHandles {
        @user pcr_handle: PcrIndex,
    }
    /// Sets one PCR to zero, if the locality may (`TPM2_PCR_Reset`).
    command PcrReset {}
}
