// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Signing and Signature Verification".
use crate::{
    Tpm2bDigest, Tpm2bMaxBuffer, Tpm2bSignatureCtx, TpmiDhObject, TpmtSigScheme, TpmtSignature, TpmtTkHashcheck,
    TpmtTkVerified, command,
};

command! {
    VERIFY_SIGNATURE [];
    handles VerifySignatureHandles {
        key_handle: TpmiDhObject,
    }
    /// Verifies a signature over a digest (`TPM2_VerifySignature`).
    command VerifySignature {
        digest: Tpm2bDigest,
        signature: TpmtSignature,
    }
    response VerifySignatureResponse {
        validation: TpmtTkVerified,
    }
}

command! {
    SIGN [];
    handles SignHandles {
        @user key_handle: TpmiDhObject,
    }
    /// Signs a digest (`TPM2_Sign`).
    command Sign {
        digest: Tpm2bDigest,
        in_scheme: Option<TpmtSigScheme>,
        validation: TpmtTkHashcheck,
    }
    response SignResponse {
        signature: TpmtSignature,
    }
}

command! {
    SIGN_DIGEST [];
    handles SignDigestHandles {
        @user key_handle: TpmiDhObject,
    }
    /// Signs a digest by the scheme of the key (`TPM2_SignDigest`).
    command SignDigest<'a> {
        context: Tpm2bSignatureCtx<'a>,
        digest: Tpm2bDigest,
        validation: TpmtTkHashcheck,
    }
    response SignDigestResponse {
        signature: TpmtSignature,
    }
}

command! {
    VERIFY_DIGEST_SIGNATURE [];
    handles VerifyDigestSignatureHandles {
        key_handle: TpmiDhObject,
    }
    /// Verifies a signature over a digest by the scheme of the key (`TPM2_VerifyDigestSignature`).
    command VerifyDigestSignature<'a> {
        context: Tpm2bSignatureCtx<'a>,
        digest: Tpm2bDigest,
        signature: TpmtSignature,
    }
    response VerifyDigestSignatureResponse {
        validation: TpmtTkVerified,
    }
}

command! {
    SIGN_SEQUENCE_COMPLETE [FLUSHED];
    handles SignSequenceCompleteHandles {
        @user sequence_handle: TpmiDhObject,
        @user key_handle: TpmiDhObject,
    }
    /// Signs the message of a sequence (`TPM2_SignSequenceComplete`).
    command SignSequenceComplete<'a> {
        buffer: Tpm2bMaxBuffer<'a>,
    }
    response SignSequenceCompleteResponse {
        signature: TpmtSignature,
    }
}

command! {
    VERIFY_SEQUENCE_COMPLETE [FLUSHED];
    handles VerifySequenceCompleteHandles {
        @user sequence_handle: TpmiDhObject,
        key_handle: TpmiDhObject,
    }
    /// Verifies a signature over the message of a sequence (`TPM2_VerifySequenceComplete`).
    command VerifySequenceComplete {
        signature: TpmtSignature,
    }
    response VerifySequenceCompleteResponse {
        validation: TpmtTkVerified,
    }
}
