// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A second opinion on every response: the `tpm2-protocol` crate reads it and writes the same bytes.

use evtpm_tpm_wire::{Cc, TpmCap};
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

/// Something that the other crate cannot read, and why that is no mistake of ours.
struct Limit {
    code: Cc,
    complaint: &'static str,
    /// Whether a response is of this kind.
    of: fn(&[u8]) -> bool,
    #[expect(dead_code, reason = "it is for the reader of this table")]
    reason: &'static str,
}

const LIMITS: &[Limit] = &[
    Limit {
        code: Cc::GET_CAPABILITY,
        complaint: "too many items",
        of: |_| true,
        reason: "it holds 64 properties; MAX_TPM_PROPERTIES comes to 127",
    },
    Limit {
        code: Cc::GET_CAPABILITY,
        complaint: "variant not available",
        of: |response| capability(response) == Some(TpmCap::PcrProperties.number()),
        reason: "it has the capability's number and not its list",
    },
    Limit { code: Cc::CREATE_PRIMARY, complaint: "variant not available", of: has_ecdaa_key, reason: ECDAA },
    Limit { code: Cc::READ_PUBLIC, complaint: "variant not available", of: has_ecdaa_key, reason: ECDAA },
    Limit {
        code: Cc::NV_READ,
        complaint: "too many bytes",
        of: |_| true,
        reason: "it holds 1024 bytes; MAX_NV_BUFFER is the TPM's choice",
    },
];

const ECDAA: &str = "it knows no ECDAA among the schemes of a key";

/// Says whether a response may hold the public area of an ECDAA key: the scheme with SHA-256 and a count of zero.
fn has_ecdaa_key(response: &[u8]) -> bool {
    response.windows(6).any(|bytes| bytes == [0, 0x1A, 0, 0x0B, 0, 0])
}

/// The capability that a response to `TPM2_GetCapability` is about.
fn capability(response: &[u8]) -> Option<u32> {
    let parameters = if response.starts_with(&[0x80, 0x02]) { 14 } else { 10 };
    let number = response.get(parameters + 1..parameters + 5)?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

/// Commands that the other crate does not know, with the reason.
const UNKNOWN: &[(Cc, &str)] = &[
    (Cc::CERTIFY_X509, "left out there; deprecated since version 1.84"),
    (Cc::VERIFY_SEQUENCE_COMPLETE, VERSION_185),
    (Cc::SIGN_SEQUENCE_COMPLETE, VERSION_185),
    (Cc::VERIFY_DIGEST_SIGNATURE, VERSION_185),
    (Cc::SIGN_DIGEST, VERSION_185),
    (Cc::ENCAPSULATE, VERSION_185),
    (Cc::DECAPSULATE, VERSION_185),
    (Cc::VERIFY_SEQUENCE_START, VERSION_185),
    (Cc::SIGN_SEQUENCE_START, VERSION_185),
];

const VERSION_185: &str = "new in version 1.85";

/// Says whether the other crate has no opinion on a command, as the list of those says.
#[must_use]
pub fn is_unknown(code: Cc) -> bool {
    UNKNOWN.iter().any(|(unknown, _)| *unknown == code)
}

/// Returns the opinion on a response if it is not the same as ours and nothing excuses that.
#[must_use]
pub fn objection(code: Cc, response: &[u8]) -> Option<Opinion> {
    let is_known = |complaint: &str| {
        LIMITS.iter().any(|limit| limit.code == code && limit.complaint == complaint && (limit.of)(response))
    };
    match opinion(code, response) {
        Opinion::Same => None,
        Opinion::Unknown if is_unknown(code) => None,
        Opinion::Unreadable(complaint) if is_known(&complaint) => None,
        opinion => Some(opinion),
    }
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

fn rewrite_parameters<C: TpmUnmarshalBody + TpmMarshalBody>(parameters: &[u8]) -> Result<Vec<u8>, String> {
    // Handles are numbers to it.
    let handles = vec![0; 4 * C::HANDLES];
    let command = C::unmarshal_body(&handles, parameters).map_err(|error| error.to_string())?;
    let mut room = vec![0; 8192];
    let mut writer = TpmWriter::new(&mut room);
    command.marshal_parameters(&mut writer).map_err(|error| error.to_string())?;
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

macro_rules! frames {
    ($($command:ident $response:ident)*) => {
        fn rewritten(code: Cc, bytes: &[u8]) -> Option<Result<Vec<u8>, String>> {
            match code.0 {
                $(code if code == $response::CC as u32 => Some(rewrite::<$response>(bytes)),)*
                _ => None,
            }
        }

        /// Reads the parameters of a command and writes them again; `None` if it does not know the command.
        #[must_use]
        pub fn command_parameters(code: Cc, parameters: &[u8]) -> Option<Result<Vec<u8>, String>> {
            match code.0 {
                $(code if code == $command::CC as u32 => Some(rewrite_parameters::<$command>(parameters)),)*
                _ => None,
            }
        }
    };
}

frames! {
    TpmNvUndefineSpaceSpecialCommand TpmNvUndefineSpaceSpecialResponse
    TpmEvictControlCommand TpmEvictControlResponse
    TpmHierarchyControlCommand TpmHierarchyControlResponse
    TpmNvUndefineSpaceCommand TpmNvUndefineSpaceResponse
    TpmChangeEpsCommand TpmChangeEpsResponse
    TpmChangePpsCommand TpmChangePpsResponse
    TpmClearCommand TpmClearResponse
    TpmClearControlCommand TpmClearControlResponse
    TpmClockSetCommand TpmClockSetResponse
    TpmHierarchyChangeAuthCommand TpmHierarchyChangeAuthResponse
    TpmNvDefineSpaceCommand TpmNvDefineSpaceResponse
    TpmPcrAllocateCommand TpmPcrAllocateResponse
    TpmPcrSetAuthPolicyCommand TpmPcrSetAuthPolicyResponse
    TpmPpCommandsCommand TpmPpCommandsResponse
    TpmSetPrimaryPolicyCommand TpmSetPrimaryPolicyResponse
    TpmClockRateAdjustCommand TpmClockRateAdjustResponse
    TpmCreatePrimaryCommand TpmCreatePrimaryResponse
    TpmNvGlobalWriteLockCommand TpmNvGlobalWriteLockResponse
    TpmGetCommandAuditDigestCommand TpmGetCommandAuditDigestResponse
    TpmNvIncrementCommand TpmNvIncrementResponse
    TpmNvSetBitsCommand TpmNvSetBitsResponse
    TpmNvExtendCommand TpmNvExtendResponse
    TpmNvWriteCommand TpmNvWriteResponse
    TpmNvWriteLockCommand TpmNvWriteLockResponse
    TpmDictionaryAttackLockResetCommand TpmDictionaryAttackLockResetResponse
    TpmDictionaryAttackParametersCommand TpmDictionaryAttackParametersResponse
    TpmNvChangeAuthCommand TpmNvChangeAuthResponse
    TpmPcrEventCommand TpmPcrEventResponse
    TpmPcrResetCommand TpmPcrResetResponse
    TpmSequenceCompleteCommand TpmSequenceCompleteResponse
    TpmSetAlgorithmSetCommand TpmSetAlgorithmSetResponse
    TpmSetCommandCodeAuditStatusCommand TpmSetCommandCodeAuditStatusResponse
    TpmIncrementalSelfTestCommand TpmIncrementalSelfTestResponse
    TpmSelfTestCommand TpmSelfTestResponse
    TpmStartupCommand TpmStartupResponse
    TpmShutdownCommand TpmShutdownResponse
    TpmStirRandomCommand TpmStirRandomResponse
    TpmActivateCredentialCommand TpmActivateCredentialResponse
    TpmCertifyCommand TpmCertifyResponse
    TpmPolicyNvCommand TpmPolicyNvResponse
    TpmCertifyCreationCommand TpmCertifyCreationResponse
    TpmDuplicateCommand TpmDuplicateResponse
    TpmGetTimeCommand TpmGetTimeResponse
    TpmGetSessionAuditDigestCommand TpmGetSessionAuditDigestResponse
    TpmNvReadCommand TpmNvReadResponse
    TpmNvReadLockCommand TpmNvReadLockResponse
    TpmObjectChangeAuthCommand TpmObjectChangeAuthResponse
    TpmPolicySecretCommand TpmPolicySecretResponse
    TpmRewrapCommand TpmRewrapResponse
    TpmCreateCommand TpmCreateResponse
    TpmEcdhZGenCommand TpmEcdhZGenResponse
    TpmHmacCommand TpmHmacResponse
    TpmImportCommand TpmImportResponse
    TpmLoadCommand TpmLoadResponse
    TpmQuoteCommand TpmQuoteResponse
    TpmRsaDecryptCommand TpmRsaDecryptResponse
    TpmHmacStartCommand TpmHmacStartResponse
    TpmSequenceUpdateCommand TpmSequenceUpdateResponse
    TpmSignCommand TpmSignResponse
    TpmUnsealCommand TpmUnsealResponse
    TpmPolicySignedCommand TpmPolicySignedResponse
    TpmContextLoadCommand TpmContextLoadResponse
    TpmContextSaveCommand TpmContextSaveResponse
    TpmEcdhKeyGenCommand TpmEcdhKeyGenResponse
    TpmEncryptDecryptCommand TpmEncryptDecryptResponse
    TpmFlushContextCommand TpmFlushContextResponse
    TpmLoadExternalCommand TpmLoadExternalResponse
    TpmMakeCredentialCommand TpmMakeCredentialResponse
    TpmNvReadPublicCommand TpmNvReadPublicResponse
    TpmPolicyAuthorizeCommand TpmPolicyAuthorizeResponse
    TpmPolicyAuthValueCommand TpmPolicyAuthValueResponse
    TpmPolicyCommandCodeCommand TpmPolicyCommandCodeResponse
    TpmPolicyCounterTimerCommand TpmPolicyCounterTimerResponse
    TpmPolicyCpHashCommand TpmPolicyCpHashResponse
    TpmPolicyLocalityCommand TpmPolicyLocalityResponse
    TpmPolicyNameHashCommand TpmPolicyNameHashResponse
    TpmPolicyOrCommand TpmPolicyOrResponse
    TpmPolicyTicketCommand TpmPolicyTicketResponse
    TpmReadPublicCommand TpmReadPublicResponse
    TpmRsaEncryptCommand TpmRsaEncryptResponse
    TpmStartAuthSessionCommand TpmStartAuthSessionResponse
    TpmVerifySignatureCommand TpmVerifySignatureResponse
    TpmEccParametersCommand TpmEccParametersResponse
    TpmGetCapabilityCommand TpmGetCapabilityResponse
    TpmGetRandomCommand TpmGetRandomResponse
    TpmGetTestResultCommand TpmGetTestResultResponse
    TpmHashCommand TpmHashResponse
    TpmPcrReadCommand TpmPcrReadResponse
    TpmPolicyPcrCommand TpmPolicyPcrResponse
    TpmPolicyRestartCommand TpmPolicyRestartResponse
    TpmReadClockCommand TpmReadClockResponse
    TpmPcrExtendCommand TpmPcrExtendResponse
    TpmPcrSetAuthValueCommand TpmPcrSetAuthValueResponse
    TpmNvCertifyCommand TpmNvCertifyResponse
    TpmEventSequenceCompleteCommand TpmEventSequenceCompleteResponse
    TpmHashSequenceStartCommand TpmHashSequenceStartResponse
    TpmPolicyPhysicalPresenceCommand TpmPolicyPhysicalPresenceResponse
    TpmPolicyDuplicationSelectCommand TpmPolicyDuplicationSelectResponse
    TpmPolicyGetDigestCommand TpmPolicyGetDigestResponse
    TpmTestParmsCommand TpmTestParmsResponse
    TpmCommitCommand TpmCommitResponse
    TpmPolicyPasswordCommand TpmPolicyPasswordResponse
    TpmZGen2PhaseCommand TpmZGen2PhaseResponse
    TpmEcEphemeralCommand TpmEcEphemeralResponse
    TpmPolicyNvWrittenCommand TpmPolicyNvWrittenResponse
    TpmPolicyTemplateCommand TpmPolicyTemplateResponse
    TpmCreateLoadedCommand TpmCreateLoadedResponse
    TpmPolicyAuthorizeNvCommand TpmPolicyAuthorizeNvResponse
    TpmEncryptDecrypt2Command TpmEncryptDecrypt2Response
    TpmActSetTimeoutCommand TpmActSetTimeoutResponse
    TpmEccEncryptCommand TpmEccEncryptResponse
    TpmEccDecryptCommand TpmEccDecryptResponse
    TpmPolicyCapabilityCommand TpmPolicyCapabilityResponse
    TpmPolicyParametersCommand TpmPolicyParametersResponse
    TpmNvDefineSpace2Command TpmNvDefineSpace2Response
    TpmNvReadPublic2Command TpmNvReadPublic2Response
    TpmReadOnlyControlCommand TpmReadOnlyControlResponse
    TpmPolicyTransportSpdmCommand TpmPolicyTransportSpdmResponse
}
