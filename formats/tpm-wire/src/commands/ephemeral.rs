// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Ephemeral EC Keys".
use crate::{EccCurve, Tpm2bEccParameter, Tpm2bEccPoint, Tpm2bSensitiveData, TpmiDhObject, command};

command! {
    COMMIT [];
    handles CommitHandles {
        @user sign_handle: TpmiDhObject,
    }
    /// Makes the first half of an anonymous signature (`TPM2_Commit`).
    command Commit {
        p1: Tpm2bEccPoint,
        s2: Tpm2bSensitiveData,
        y2: Tpm2bEccParameter,
    }
    response CommitResponse {
        k: Tpm2bEccPoint,
        l: Tpm2bEccPoint,
        e: Tpm2bEccPoint,
        counter: u16,
    }
}

command! {
    EC_EPHEMERAL [];
    /// Makes an ephemeral key for a two-phase key exchange (`TPM2_EC_Ephemeral`).
    command EcEphemeral {
        curve_id: EccCurve,
    }
    response EcEphemeralResponse {
        q: Tpm2bEccPoint,
        counter: u16,
    }
}
