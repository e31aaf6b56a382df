// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Hash/HMAC/Event/Signature Sequences".
use crate::{
    HashAlg, MacAlg, PcrIndex, Tpm2bAuth, Tpm2bDigest, Tpm2bMaxBuffer, Tpm2bSignatureCtx, Tpm2bSignatureHint,
    TpmiDhObject, TpmiRhHierarchy, TpmlDigestValues, TpmtTkHashcheck, command,
};

command! {
    HMAC_START [];
    handles HmacStartHandles {
        @user handle: TpmiDhObject,
    }
    /// Starts an HMAC sequence (`TPM2_HMAC_Start`).
    command HmacStart {
        auth: Tpm2bAuth,
        hash_alg: Option<HashAlg>,
    }
    response HmacStartResponse {
        @handle sequence_handle,
    }
}

command! {
    MAC_START [];
    handles MacStartHandles {
        @user handle: TpmiDhObject,
    }
    /// Starts a MAC sequence (`TPM2_MAC_Start`).
    command MacStart {
        auth: Tpm2bAuth,
        in_scheme: Option<MacAlg>,
    }
    response MacStartResponse {
        @handle sequence_handle,
    }
}

command! {
    HASH_SEQUENCE_START [];
    /// Starts a hash sequence, or an event sequence if no hash is named (`TPM2_HashSequenceStart`).
    command HashSequenceStart {
        auth: Tpm2bAuth,
        hash_alg: Option<HashAlg>,
    }
    response HashSequenceStartResponse {
        @handle sequence_handle,
    }
}

command! {
    SEQUENCE_UPDATE [];
    handles SequenceUpdateHandles {
        @user sequence_handle: TpmiDhObject,
    }
    /// Adds data to a sequence (`TPM2_SequenceUpdate`).
    command SequenceUpdate<'a> {
        buffer: Tpm2bMaxBuffer<'a>,
    }
}

command! {
    SEQUENCE_COMPLETE [FLUSHED];
    handles SequenceCompleteHandles {
        @user sequence_handle: TpmiDhObject,
    }
    /// Ends a hash or HMAC sequence (`TPM2_SequenceComplete`).
    command SequenceComplete<'a> {
        buffer: Tpm2bMaxBuffer<'a>,
        hierarchy: TpmiRhHierarchy,
    }
    response SequenceCompleteResponse {
        result: Tpm2bDigest,
        validation: TpmtTkHashcheck,
    }
}

command! {
    EVENT_SEQUENCE_COMPLETE [NV, FLUSHED];
    handles EventSequenceCompleteHandles {
        @user pcr_handle: Option<PcrIndex>,
        @user sequence_handle: TpmiDhObject,
    }
    /// Ends an event sequence and extends a PCR (`TPM2_EventSequenceComplete`).
    command EventSequenceComplete<'a> {
        buffer: Tpm2bMaxBuffer<'a>,
    }
    response EventSequenceCompleteResponse {
        results: TpmlDigestValues,
    }
}

command! {
    SIGN_SEQUENCE_START [];
    handles SignSequenceStartHandles {
        key_handle: TpmiDhObject,
    }
    /// Starts a sequence whose message will be signed (`TPM2_SignSequenceStart`).
    command SignSequenceStart<'a> {
        auth: Tpm2bAuth,
        context: Tpm2bSignatureCtx<'a>,
    }
    response SignSequenceStartResponse {
        @handle sequence_handle,
    }
}

command! {
    VERIFY_SEQUENCE_START [];
    handles VerifySequenceStartHandles {
        key_handle: TpmiDhObject,
    }
    /// Starts a sequence whose message has a signature (`TPM2_VerifySequenceStart`).
    command VerifySequenceStart<'a> {
        auth: Tpm2bAuth,
        hint: Tpm2bSignatureHint<'a>,
        context: Tpm2bSignatureCtx<'a>,
    }
    response VerifySequenceStartResponse {
        @handle sequence_handle,
    }
}
