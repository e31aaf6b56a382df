// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Signing and Signature Verification".
use crate::{Tpm2bDigest, TpmiDhObject, TpmtSigScheme, TpmtSignature, TpmtTkHashcheck, TpmtTkVerified, command};

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
