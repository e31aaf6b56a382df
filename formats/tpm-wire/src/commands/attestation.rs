// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Attestation Commands".
use crate::{
    Buf, MAX_DIGEST_BUFFER, Tpm2bAttest, Tpm2bData, Tpm2bDigest, Tpm2bMaxBuffer, TpmiDhObject, TpmiRhEndorsement,
    TpmiShHmac, TpmlPcrSelection, TpmtSigScheme, TpmtSignature, TpmtTkCreation, command,
};

command! {
    CERTIFY [];
    handles CertifyHandles {
        @admin object_handle: TpmiDhObject,
        @user sign_handle: Option<TpmiDhObject>,
    }
    /// Attests that an object is loaded (`TPM2_Certify`).
    command Certify {
        qualifying_data: Tpm2bData,
        in_scheme: Option<TpmtSigScheme>,
    }
    response CertifyResponse {
        certify_info: Tpm2bAttest,
        signature: Option<TpmtSignature>,
    }
}

command! {
    CERTIFY_CREATION [];
    handles CertifyCreationHandles {
        @user sign_handle: Option<TpmiDhObject>,
        object_handle: TpmiDhObject,
    }
    /// Attests how an object came to be (`TPM2_CertifyCreation`).
    command CertifyCreation {
        qualifying_data: Tpm2bData,
        creation_hash: Tpm2bDigest,
        in_scheme: Option<TpmtSigScheme>,
        creation_ticket: TpmtTkCreation,
    }
    response CertifyCreationResponse {
        certify_info: Tpm2bAttest,
        signature: Option<TpmtSignature>,
    }
}

command! {
    QUOTE [];
    handles QuoteHandles {
        @user sign_handle: Option<TpmiDhObject>,
    }
    /// Attests the values of PCRs (`TPM2_Quote`).
    command Quote {
        qualifying_data: Tpm2bData,
        in_scheme: Option<TpmtSigScheme>,
        pcr_select: TpmlPcrSelection,
    }
    response QuoteResponse {
        quoted: Tpm2bAttest,
        signature: Option<TpmtSignature>,
    }
}

command! {
    GET_SESSION_AUDIT_DIGEST [];
    handles GetSessionAuditDigestHandles {
        @user privacy_admin_handle: TpmiRhEndorsement,
        @user sign_handle: Option<TpmiDhObject>,
        session_handle: TpmiShHmac,
    }
    /// Attests an audit session (`TPM2_GetSessionAuditDigest`).
    command GetSessionAuditDigest {
        qualifying_data: Tpm2bData,
        in_scheme: Option<TpmtSigScheme>,
    }
    response GetSessionAuditDigestResponse {
        audit_info: Tpm2bAttest,
        signature: Option<TpmtSignature>,
    }
}

command! {
    GET_COMMAND_AUDIT_DIGEST [NV];
    handles GetCommandAuditDigestHandles {
        @user privacy_handle: TpmiRhEndorsement,
        @user sign_handle: Option<TpmiDhObject>,
    }
    /// Attests the command audit (`TPM2_GetCommandAuditDigest`).
    command GetCommandAuditDigest {
        qualifying_data: Tpm2bData,
        in_scheme: Option<TpmtSigScheme>,
    }
    response GetCommandAuditDigestResponse {
        audit_info: Tpm2bAttest,
        signature: Option<TpmtSignature>,
    }
}

command! {
    GET_TIME [];
    handles GetTimeHandles {
        @user privacy_admin_handle: TpmiRhEndorsement,
        @user sign_handle: Option<TpmiDhObject>,
    }
    /// Attests time and clock (`TPM2_GetTime`).
    command GetTime {
        qualifying_data: Tpm2bData,
        in_scheme: Option<TpmtSigScheme>,
    }
    response GetTimeResponse {
        time_info: Tpm2bAttest,
        signature: Option<TpmtSignature>,
    }
}

command! {
    CERTIFY_X509 [];
    handles CertifyX509Handles {
        @admin object_handle: TpmiDhObject,
        @user sign_handle: TpmiDhObject,
    }
    /// Signs an X.509 certificate of a loaded key (`TPM2_CertifyX509`).
    command CertifyX509<'a> {
        reserved: Tpm2bData,
        in_scheme: Option<TpmtSigScheme>,
        partial_certificate: Tpm2bMaxBuffer<'a>,
    }
    response CertifyX509Response {
        added_to_certificate: Buf<MAX_DIGEST_BUFFER>,
        tbs_digest: Tpm2bDigest,
        signature: TpmtSignature,
    }
}
