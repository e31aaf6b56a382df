// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A second opinion on every response: the `tpm2-protocol` crate reads it and writes the same bytes.

use evtpm_tpm_wire::Cc;
use tpm2_protocol::data::{TpmRc, TpmRcBase, TpmsAuthResponse};
use tpm2_protocol::frame::*;
use tpm2_protocol::{TpmUnmarshal, TpmWriter};

/// What the other crate made of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opinion {
    /// The same as we.
    Same,
    /// It cannot read it.
    Unreadable(String),
    /// It reads it and writes something else.
    Different(Vec<u8>),
    /// It does not know the command.
    Unknown,
}

/// Asks for an opinion on the response to the command with this code.
#[must_use]
pub fn opinion(code: Cc, response: &[u8]) -> Opinion {
    match rewritten(code, response) {
        None => Opinion::Unknown,
        Some(Err(error)) => Opinion::Unreadable(error),
        Some(Ok(bytes)) if bytes == response => Opinion::Same,
        Some(Ok(bytes)) => Opinion::Different(bytes),
    }
}

fn rewrite<R: TpmUnmarshalBody + TpmFrame>(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let response = TpmResponse::cast(bytes).map_err(|error| error.to_string())?;
    response.validate(R::CC).map_err(|error| error.to_string())?;
    let code = response.rc().map_err(|error| error.to_string())?;
    let mut room = vec![0; 8192];
    let mut writer = TpmWriter::new(&mut room);
    if code != TpmRc::Fmt0(TpmRcBase::Success) {
        // Nothing but the header, which `validate` has seen to.
        return Ok([&bytes[..6], &code.value().to_be_bytes()].concat());
    }
    let body: R = response.unmarshal().map_err(|error| error.to_string())?;
    let sessions = sessions::<R>(bytes).map_err(|error| error.to_string())?;
    tpm_marshal_response(&body, code, &sessions, &mut writer).map_err(|error| error.to_string())?;
    Ok(writer.as_bytes().to_vec())
}

/// Reads the sessions behind the parameters.
fn sessions<R: TpmHeader>(bytes: &[u8]) -> Result<Vec<TpmsAuthResponse>, tpm2_protocol::TpmError> {
    let mut sessions = Vec::new();
    if bytes[..2] != [0x80, 0x02] {
        return Ok(sessions);
    }
    let after_handles = &bytes[10 + 4 * R::HANDLES..];
    let (size, rest) = after_handles.split_at(4);
    let size = u32::from_be_bytes([size[0], size[1], size[2], size[3]]);
    let mut rest = &rest[usize::try_from(size).unwrap()..];
    while !rest.is_empty() {
        let (session, tail) = TpmsAuthResponse::unmarshal(rest)?;
        sessions.push(session);
        rest = tail;
    }
    Ok(sessions)
}

macro_rules! responses {
    ($($response:ident)*) => {
        fn rewritten(code: Cc, bytes: &[u8]) -> Option<Result<Vec<u8>, String>> {
            match code.0 {
                $(code if code == $response::CC as u32 => Some(rewrite::<$response>(bytes)),)*
                _ => None,
            }
        }
    };
}

responses! {
    TpmNvUndefineSpaceSpecialResponse
    TpmEvictControlResponse
    TpmHierarchyControlResponse
    TpmNvUndefineSpaceResponse
    TpmChangeEpsResponse
    TpmChangePpsResponse
    TpmClearResponse
    TpmClearControlResponse
    TpmClockSetResponse
    TpmHierarchyChangeAuthResponse
    TpmNvDefineSpaceResponse
    TpmPcrAllocateResponse
    TpmPcrSetAuthPolicyResponse
    TpmPpCommandsResponse
    TpmSetPrimaryPolicyResponse
    TpmClockRateAdjustResponse
    TpmCreatePrimaryResponse
    TpmNvGlobalWriteLockResponse
    TpmGetCommandAuditDigestResponse
    TpmNvIncrementResponse
    TpmNvSetBitsResponse
    TpmNvExtendResponse
    TpmNvWriteResponse
    TpmNvWriteLockResponse
    TpmDictionaryAttackLockResetResponse
    TpmDictionaryAttackParametersResponse
    TpmNvChangeAuthResponse
    TpmPcrEventResponse
    TpmPcrResetResponse
    TpmSequenceCompleteResponse
    TpmSetAlgorithmSetResponse
    TpmSetCommandCodeAuditStatusResponse
    TpmIncrementalSelfTestResponse
    TpmSelfTestResponse
    TpmStartupResponse
    TpmShutdownResponse
    TpmStirRandomResponse
    TpmActivateCredentialResponse
    TpmCertifyResponse
    TpmPolicyNvResponse
    TpmCertifyCreationResponse
    TpmDuplicateResponse
    TpmGetTimeResponse
    TpmGetSessionAuditDigestResponse
    TpmNvReadResponse
    TpmNvReadLockResponse
    TpmObjectChangeAuthResponse
    TpmPolicySecretResponse
    TpmRewrapResponse
    TpmCreateResponse
    TpmEcdhZGenResponse
    TpmHmacResponse
    TpmImportResponse
    TpmLoadResponse
    TpmQuoteResponse
    TpmRsaDecryptResponse
    TpmHmacStartResponse
    TpmSequenceUpdateResponse
    TpmSignResponse
    TpmUnsealResponse
    TpmPolicySignedResponse
    TpmContextLoadResponse
    TpmContextSaveResponse
    TpmEcdhKeyGenResponse
    TpmEncryptDecryptResponse
    TpmFlushContextResponse
    TpmLoadExternalResponse
    TpmMakeCredentialResponse
    TpmNvReadPublicResponse
    TpmPolicyAuthorizeResponse
    TpmPolicyAuthValueResponse
    TpmPolicyCommandCodeResponse
    TpmPolicyCounterTimerResponse
    TpmPolicyCpHashResponse
    TpmPolicyLocalityResponse
    TpmPolicyNameHashResponse
    TpmPolicyOrResponse
    TpmPolicyTicketResponse
    TpmReadPublicResponse
    TpmRsaEncryptResponse
    TpmStartAuthSessionResponse
    TpmVerifySignatureResponse
    TpmEccParametersResponse
    TpmGetCapabilityResponse
    TpmGetRandomResponse
    TpmGetTestResultResponse
    TpmHashResponse
    TpmPcrReadResponse
    TpmPolicyPcrResponse
    TpmPolicyRestartResponse
    TpmReadClockResponse
    TpmPcrExtendResponse
    TpmPcrSetAuthValueResponse
    TpmNvCertifyResponse
    TpmEventSequenceCompleteResponse
    TpmHashSequenceStartResponse
    TpmPolicyPhysicalPresenceResponse
    TpmPolicyDuplicationSelectResponse
    TpmPolicyGetDigestResponse
    TpmTestParmsResponse
    TpmCommitResponse
    TpmPolicyPasswordResponse
    TpmZGen2PhaseResponse
    TpmEcEphemeralResponse
    TpmPolicyNvWrittenResponse
    TpmPolicyTemplateResponse
    TpmCreateLoadedResponse
    TpmPolicyAuthorizeNvResponse
    TpmEncryptDecrypt2Response
    TpmActSetTimeoutResponse
    TpmEccEncryptResponse
    TpmEccDecryptResponse
    TpmPolicyParametersResponse
    TpmReadOnlyControlResponse
    TpmPolicyTransportSpdmResponse
}
