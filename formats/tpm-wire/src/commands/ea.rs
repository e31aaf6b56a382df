// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Enhanced Authorization (EA) Commands".
use crate::{
    Cc, Tpm2bDigest, Tpm2bName, Tpm2bNonce, Tpm2bOperand, Tpm2bTimeout, TpmCap, TpmEo, TpmaLocality, TpmiDhEntity,
    TpmiDhObject, TpmiRhNvAuth, TpmiRhNvIndex, TpmiShPolicy, TpmlDigest, TpmlPcrSelection, TpmtSignature, TpmtTkAuth,
    TpmtTkVerified, YesNo, command,
};

command! {
    POLICY_SIGNED [TRIAL];
    handles PolicySignedHandles {
        auth_object: TpmiDhObject,
        policy_session: TpmiShPolicy,
    }
    /// Includes a signed authorization in a policy (`TPM2_PolicySigned`).
    command PolicySigned {
        nonce_tpm: Tpm2bNonce,
        cp_hash_a: Tpm2bDigest,
        policy_ref: Tpm2bNonce,
        expiration: i32,
        auth: TpmtSignature,
    }
    response PolicySignedResponse {
        timeout: Tpm2bTimeout,
        policy_ticket: TpmtTkAuth,
    }
}

command! {
    POLICY_SECRET [TRIAL];
    handles PolicySecretHandles {
        @user auth_handle: TpmiDhEntity,
        policy_session: TpmiShPolicy,
    }
    /// Includes an authorization by a secret in a policy (`TPM2_PolicySecret`).
    command PolicySecret {
        nonce_tpm: Tpm2bNonce,
        cp_hash_a: Tpm2bDigest,
        policy_ref: Tpm2bNonce,
        expiration: i32,
    }
    response PolicySecretResponse {
        timeout: Tpm2bTimeout,
        policy_ticket: TpmtTkAuth,
    }
}

command! {
    POLICY_TICKET [TRIAL];
    handles PolicyTicketHandles {
        policy_session: TpmiShPolicy,
    }
    /// Includes an earlier authorization in a policy (`TPM2_PolicyTicket`).
    command PolicyTicket {
        timeout: Tpm2bTimeout,
        cp_hash_a: Tpm2bDigest,
        policy_ref: Tpm2bNonce,
        auth_name: Tpm2bName,
        ticket: TpmtTkAuth,
    }
}

command! {
    POLICY_OR [TRIAL];
    handles PolicyOrHandles {
        policy_session: TpmiShPolicy,
    }
    /// Makes a policy one of several alternatives (`TPM2_PolicyOR`).
    command PolicyOr {
        p_hash_list: TpmlDigest,
    }
}

command! {
    POLICY_PCR [TRIAL];
    handles PolicyPcrHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the values of PCRs (`TPM2_PolicyPCR`).
    command PolicyPcr {
        pcr_digest: Tpm2bDigest,
        pcrs: TpmlPcrSelection,
    }
}

command! {
    POLICY_LOCALITY [TRIAL];
    handles PolicyLocalityHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to localities (`TPM2_PolicyLocality`).
    command PolicyLocality {
        locality: TpmaLocality,
    }
}

command! {
    POLICY_NV [TRIAL];
    handles PolicyNvHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the contents of an NV index (`TPM2_PolicyNV`).
    command PolicyNv {
        operand_b: Tpm2bOperand,
        offset: u16,
        operation: TpmEo,
    }
}

command! {
    POLICY_COUNTER_TIMER [TRIAL];
    handles PolicyCounterTimerHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the clock (`TPM2_PolicyCounterTimer`).
    command PolicyCounterTimer {
        operand_b: Tpm2bOperand,
        offset: u16,
        operation: TpmEo,
    }
}

command! {
    POLICY_COMMAND_CODE [TRIAL];
    handles PolicyCommandCodeHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to one command (`TPM2_PolicyCommandCode`).
    command PolicyCommandCode {
        code: Cc,
    }
}

command! {
    POLICY_PHYSICAL_PRESENCE [TRIAL];
    handles PolicyPhysicalPresenceHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to physical presence (`TPM2_PolicyPhysicalPresence`).
    command PolicyPhysicalPresence {}
}

command! {
    POLICY_CP_HASH [TRIAL];
    handles PolicyCpHashHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the parameters of a command (`TPM2_PolicyCpHash`).
    command PolicyCpHash {
        cp_hash_a: Tpm2bDigest,
    }
}

command! {
    POLICY_NAME_HASH [TRIAL];
    handles PolicyNameHashHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the entities of a command (`TPM2_PolicyNameHash`).
    command PolicyNameHash {
        name_hash: Tpm2bDigest,
    }
}

command! {
    POLICY_DUPLICATION_SELECT [TRIAL];
    handles PolicyDuplicationSelectHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to a duplication for one parent (`TPM2_PolicyDuplicationSelect`).
    command PolicyDuplicationSelect {
        object_name: Tpm2bName,
        new_parent_name: Tpm2bName,
        include_object: YesNo,
    }
}

command! {
    POLICY_AUTHORIZE [TRIAL];
    handles PolicyAuthorizeHandles {
        policy_session: TpmiShPolicy,
    }
    /// Replaces a policy that an authority approved (`TPM2_PolicyAuthorize`).
    command PolicyAuthorize {
        approved_policy: Tpm2bDigest,
        policy_ref: Tpm2bNonce,
        key_sign: Tpm2bName,
        check_ticket: TpmtTkVerified,
    }
}

command! {
    POLICY_AUTH_VALUE [TRIAL];
    handles PolicyAuthValueHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the authorization value, proved by HMAC (`TPM2_PolicyAuthValue`).
    command PolicyAuthValue {}
}

command! {
    POLICY_PASSWORD [TRIAL];
    handles PolicyPasswordHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the authorization value, sent as a password (`TPM2_PolicyPassword`).
    command PolicyPassword {}
}

command! {
    POLICY_GET_DIGEST [TRIAL];
    handles PolicyGetDigestHandles {
        policy_session: TpmiShPolicy,
    }
    /// Returns the digest of a policy session (`TPM2_PolicyGetDigest`).
    command PolicyGetDigest {}
    response PolicyGetDigestResponse {
        policy_digest: Tpm2bDigest,
    }
}

command! {
    POLICY_NV_WRITTEN [TRIAL];
    handles PolicyNvWrittenHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to whether an NV index was written (`TPM2_PolicyNvWritten`).
    command PolicyNvWritten {
        written_set: YesNo,
    }
}

command! {
    POLICY_TEMPLATE [TRIAL];
    handles PolicyTemplateHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to a template (`TPM2_PolicyTemplate`).
    command PolicyTemplate {
        template_hash: Tpm2bDigest,
    }
}

command! {
    POLICY_AUTHORIZE_NV [TRIAL];
    handles PolicyAuthorizeNvHandles {
        @user auth_handle: TpmiRhNvAuth,
        nv_index: TpmiRhNvIndex,
        policy_session: TpmiShPolicy,
    }
    /// Replaces a policy that an NV index approved (`TPM2_PolicyAuthorizeNV`).
    command PolicyAuthorizeNv {}
}

command! {
    POLICY_CAPABILITY [TRIAL];
    handles PolicyCapabilityHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to a capability (`TPM2_PolicyCapability`).
    command PolicyCapability {
        operand_b: Tpm2bOperand,
        offset: u16,
        operation: TpmEo,
        capability: TpmCap,
        property: u32,
    }
}

command! {
    POLICY_PARAMETERS [TRIAL];
    handles PolicyParametersHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to the parameters of a command, without its handles (`TPM2_PolicyParameters`).
    command PolicyParameters {
        p_hash: Tpm2bDigest,
    }
}

command! {
    POLICY_TRANSPORT_SPDM [TRIAL];
    handles PolicyTransportSpdmHandles {
        policy_session: TpmiShPolicy,
    }
    /// Ties a policy to an SPDM session (`TPM2_PolicyTransportSPDM`).
    command PolicyTransportSpdm {
        req_key_name: Tpm2bName,
        tpm_key_name: Tpm2bName,
    }
}
