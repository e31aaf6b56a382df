// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A second opinion on the layout of every command and response: the `tpm2-protocol` crate.
//!
//! It lacks `TPM2_CertifyX509`, and its `TPM2_PolicyCapability` has other parameters than the table of Part 3.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]
use evtpm_tpm_wire::commands::*;
use evtpm_tpm_wire::{Cc, Command, Tpm2bPublic, Tpm2bSensitiveCreate, TpmsAttest, TpmtSignature};
use proptest::prelude::*;
use tpm2_protocol::TpmWriter;
use tpm2_protocol::frame::*;

mod support;
use support::{Numbers, attempt, attempt_response, generate};

/// What the other crate makes of the bytes: the same bytes, if it reads them as the same fields.
fn second_opinion<F: TpmUnmarshalBody + TpmFrame>(handles: &[u8], parameters: &[u8]) -> Option<Vec<u8>> {
    let body = F::unmarshal_body(handles, parameters).ok()?;
    let mut buffer = vec![0; 8192];
    let mut writer = TpmWriter::new(&mut buffer);
    body.marshal_handles(&mut writer).unwrap();
    body.marshal_parameters(&mut writer).unwrap();
    Some(writer.as_bytes().to_vec())
}

/// How often valid bytes are made for one comparison. The other crate looks into attestations and command codes, which
/// are opaque here, and has smaller limits for some buffers, so it need not take the first ones.
const ATTEMPTS: usize = 300;

/// Parameters of `TPM2_CreateLoaded`, whose template is bytes here and a public area there.
fn create_loaded(numbers: &mut Numbers) -> Vec<u8> {
    let sensitive = generate(numbers, |bytes| attempt::<Tpm2bSensitiveCreate>(bytes));
    let public = generate(numbers, |bytes| attempt::<Tpm2bPublic>(bytes));
    [sensitive, public].concat()
}

/// Makes bytes until the other crate takes them too, and compares.
fn agree<F: TpmUnmarshalBody + TpmFrame>(mut make: impl FnMut() -> (Vec<u8>, Vec<u8>)) {
    for _ in 0..ATTEMPTS {
        let (handles, parameters) = make();
        if let Some(theirs) = second_opinion::<F>(&handles, &parameters) {
            assert_eq!(theirs, [handles, parameters].concat(), "{:?}", F::CC);
            return;
        }
    }
    panic!("{:?}: the other crate took nothing that we take", F::CC);
}

fn command<K: Command>(numbers: &mut Numbers, parameters: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
    (generate(numbers, |bytes| attempt::<K::Handles>(bytes)), parameters)
}

fn response<K: Command>(numbers: &mut Numbers) -> (Vec<u8>, Vec<u8>) {
    if ATTESTATIONS.contains(&K::SPEC.code) {
        let attest = generate(numbers, |bytes| attempt::<TpmsAttest>(bytes));
        let signature = generate(numbers, |bytes| attempt::<Option<TpmtSignature>>(bytes));
        let size = u16::try_from(attest.len()).unwrap().to_be_bytes();
        return (Vec::new(), [&size[..], &attest, &signature].concat());
    }
    let bytes = generate(numbers, attempt_response::<K>);
    let (handle, parameters) = bytes.split_at(if K::SPEC.returns_handle { 4 } else { 0 });
    (handle.to_vec(), parameters.to_vec())
}

const ATTESTATIONS: &[Cc] = &[
    Cc::CERTIFY,
    Cc::CERTIFY_CREATION,
    Cc::QUOTE,
    Cc::GET_TIME,
    Cc::GET_COMMAND_AUDIT_DIGEST,
    Cc::GET_SESSION_AUDIT_DIGEST,
    Cc::NV_CERTIFY,
];

macro_rules! oracle {
    ($($command:ident: $theirs:ident => $their_response:ident,)*) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
            #[test]
            fn commands_mean_the_same_to_both(seed in any::<u64>()) {
                let numbers = &mut Numbers::new(seed);
                $(agree::<$theirs>(|| {
                    let parameters = if $command::SPEC.code == Cc::CREATE_LOADED {
                        create_loaded(numbers)
                    } else {
                        generate(numbers, |bytes| attempt::<$command>(bytes))
                    };
                    command::<$command>(numbers, parameters)
                });)*
            }

            #[test]
            fn responses_mean_the_same_to_both(seed in any::<u64>()) {
                let numbers = &mut Numbers::new(seed);
                $(agree::<$their_response>(|| response::<$command>(numbers));)*
            }
        }

        #[test]
        fn commands_have_the_same_number_of_handles() {
            $(assert_eq!($command::SPEC.handles(), $theirs::HANDLES, "{}", $command::SPEC.code);)*
        }
    };
}

oracle! {
    NvUndefineSpaceSpecial: TpmNvUndefineSpaceSpecialCommand => TpmNvUndefineSpaceSpecialResponse,
    EvictControl: TpmEvictControlCommand => TpmEvictControlResponse,
    HierarchyControl: TpmHierarchyControlCommand => TpmHierarchyControlResponse,
    NvUndefineSpace: TpmNvUndefineSpaceCommand => TpmNvUndefineSpaceResponse,
    ChangeEps: TpmChangeEpsCommand => TpmChangeEpsResponse,
    ChangePps: TpmChangePpsCommand => TpmChangePpsResponse,
    Clear: TpmClearCommand => TpmClearResponse,
    ClearControl: TpmClearControlCommand => TpmClearControlResponse,
    ClockSet: TpmClockSetCommand => TpmClockSetResponse,
    HierarchyChangeAuth: TpmHierarchyChangeAuthCommand => TpmHierarchyChangeAuthResponse,
    NvDefineSpace: TpmNvDefineSpaceCommand => TpmNvDefineSpaceResponse,
    PcrAllocate: TpmPcrAllocateCommand => TpmPcrAllocateResponse,
    PcrSetAuthPolicy: TpmPcrSetAuthPolicyCommand => TpmPcrSetAuthPolicyResponse,
    PpCommands: TpmPpCommandsCommand => TpmPpCommandsResponse,
    SetPrimaryPolicy: TpmSetPrimaryPolicyCommand => TpmSetPrimaryPolicyResponse,
    ClockRateAdjust: TpmClockRateAdjustCommand => TpmClockRateAdjustResponse,
    CreatePrimary: TpmCreatePrimaryCommand => TpmCreatePrimaryResponse,
    NvGlobalWriteLock: TpmNvGlobalWriteLockCommand => TpmNvGlobalWriteLockResponse,
    GetCommandAuditDigest: TpmGetCommandAuditDigestCommand => TpmGetCommandAuditDigestResponse,
    NvIncrement: TpmNvIncrementCommand => TpmNvIncrementResponse,
    NvSetBits: TpmNvSetBitsCommand => TpmNvSetBitsResponse,
    NvExtend: TpmNvExtendCommand => TpmNvExtendResponse,
    NvWrite: TpmNvWriteCommand => TpmNvWriteResponse,
    NvWriteLock: TpmNvWriteLockCommand => TpmNvWriteLockResponse,
    DictionaryAttackLockReset: TpmDictionaryAttackLockResetCommand => TpmDictionaryAttackLockResetResponse,
    DictionaryAttackParameters: TpmDictionaryAttackParametersCommand => TpmDictionaryAttackParametersResponse,
    NvChangeAuth: TpmNvChangeAuthCommand => TpmNvChangeAuthResponse,
    PcrEvent: TpmPcrEventCommand => TpmPcrEventResponse,
    PcrReset: TpmPcrResetCommand => TpmPcrResetResponse,
    SequenceComplete: TpmSequenceCompleteCommand => TpmSequenceCompleteResponse,
    SetAlgorithmSet: TpmSetAlgorithmSetCommand => TpmSetAlgorithmSetResponse,
    SetCommandCodeAuditStatus: TpmSetCommandCodeAuditStatusCommand => TpmSetCommandCodeAuditStatusResponse,
    IncrementalSelfTest: TpmIncrementalSelfTestCommand => TpmIncrementalSelfTestResponse,
    SelfTest: TpmSelfTestCommand => TpmSelfTestResponse,
    Startup: TpmStartupCommand => TpmStartupResponse,
    Shutdown: TpmShutdownCommand => TpmShutdownResponse,
    StirRandom: TpmStirRandomCommand => TpmStirRandomResponse,
    ActivateCredential: TpmActivateCredentialCommand => TpmActivateCredentialResponse,
    Certify: TpmCertifyCommand => TpmCertifyResponse,
    PolicyNv: TpmPolicyNvCommand => TpmPolicyNvResponse,
    CertifyCreation: TpmCertifyCreationCommand => TpmCertifyCreationResponse,
    Duplicate: TpmDuplicateCommand => TpmDuplicateResponse,
    GetTime: TpmGetTimeCommand => TpmGetTimeResponse,
    GetSessionAuditDigest: TpmGetSessionAuditDigestCommand => TpmGetSessionAuditDigestResponse,
    NvRead: TpmNvReadCommand => TpmNvReadResponse,
    NvReadLock: TpmNvReadLockCommand => TpmNvReadLockResponse,
    ObjectChangeAuth: TpmObjectChangeAuthCommand => TpmObjectChangeAuthResponse,
    PolicySecret: TpmPolicySecretCommand => TpmPolicySecretResponse,
    Rewrap: TpmRewrapCommand => TpmRewrapResponse,
    Create: TpmCreateCommand => TpmCreateResponse,
    EcdhZGen: TpmEcdhZGenCommand => TpmEcdhZGenResponse,
    Hmac: TpmHmacCommand => TpmHmacResponse,
    Import: TpmImportCommand => TpmImportResponse,
    Load: TpmLoadCommand => TpmLoadResponse,
    Quote: TpmQuoteCommand => TpmQuoteResponse,
    RsaDecrypt: TpmRsaDecryptCommand => TpmRsaDecryptResponse,
    HmacStart: TpmHmacStartCommand => TpmHmacStartResponse,
    SequenceUpdate: TpmSequenceUpdateCommand => TpmSequenceUpdateResponse,
    Sign: TpmSignCommand => TpmSignResponse,
    Unseal: TpmUnsealCommand => TpmUnsealResponse,
    PolicySigned: TpmPolicySignedCommand => TpmPolicySignedResponse,
    ContextLoad: TpmContextLoadCommand => TpmContextLoadResponse,
    ContextSave: TpmContextSaveCommand => TpmContextSaveResponse,
    EcdhKeyGen: TpmEcdhKeyGenCommand => TpmEcdhKeyGenResponse,
    EncryptDecrypt: TpmEncryptDecryptCommand => TpmEncryptDecryptResponse,
    FlushContext: TpmFlushContextCommand => TpmFlushContextResponse,
    LoadExternal: TpmLoadExternalCommand => TpmLoadExternalResponse,
    MakeCredential: TpmMakeCredentialCommand => TpmMakeCredentialResponse,
    NvReadPublic: TpmNvReadPublicCommand => TpmNvReadPublicResponse,
    PolicyAuthorize: TpmPolicyAuthorizeCommand => TpmPolicyAuthorizeResponse,
    PolicyAuthValue: TpmPolicyAuthValueCommand => TpmPolicyAuthValueResponse,
    PolicyCommandCode: TpmPolicyCommandCodeCommand => TpmPolicyCommandCodeResponse,
    PolicyCounterTimer: TpmPolicyCounterTimerCommand => TpmPolicyCounterTimerResponse,
    PolicyCpHash: TpmPolicyCpHashCommand => TpmPolicyCpHashResponse,
    PolicyLocality: TpmPolicyLocalityCommand => TpmPolicyLocalityResponse,
    PolicyNameHash: TpmPolicyNameHashCommand => TpmPolicyNameHashResponse,
    PolicyOr: TpmPolicyOrCommand => TpmPolicyOrResponse,
    PolicyTicket: TpmPolicyTicketCommand => TpmPolicyTicketResponse,
    ReadPublic: TpmReadPublicCommand => TpmReadPublicResponse,
    RsaEncrypt: TpmRsaEncryptCommand => TpmRsaEncryptResponse,
    StartAuthSession: TpmStartAuthSessionCommand => TpmStartAuthSessionResponse,
    VerifySignature: TpmVerifySignatureCommand => TpmVerifySignatureResponse,
    EccParameters: TpmEccParametersCommand => TpmEccParametersResponse,
    GetCapability: TpmGetCapabilityCommand => TpmGetCapabilityResponse,
    GetRandom: TpmGetRandomCommand => TpmGetRandomResponse,
    GetTestResult: TpmGetTestResultCommand => TpmGetTestResultResponse,
    Hash: TpmHashCommand => TpmHashResponse,
    PcrRead: TpmPcrReadCommand => TpmPcrReadResponse,
    PolicyPcr: TpmPolicyPcrCommand => TpmPolicyPcrResponse,
    PolicyRestart: TpmPolicyRestartCommand => TpmPolicyRestartResponse,
    ReadClock: TpmReadClockCommand => TpmReadClockResponse,
    PcrExtend: TpmPcrExtendCommand => TpmPcrExtendResponse,
    PcrSetAuthValue: TpmPcrSetAuthValueCommand => TpmPcrSetAuthValueResponse,
    NvCertify: TpmNvCertifyCommand => TpmNvCertifyResponse,
    EventSequenceComplete: TpmEventSequenceCompleteCommand => TpmEventSequenceCompleteResponse,
    HashSequenceStart: TpmHashSequenceStartCommand => TpmHashSequenceStartResponse,
    PolicyPhysicalPresence: TpmPolicyPhysicalPresenceCommand => TpmPolicyPhysicalPresenceResponse,
    PolicyDuplicationSelect: TpmPolicyDuplicationSelectCommand => TpmPolicyDuplicationSelectResponse,
    PolicyGetDigest: TpmPolicyGetDigestCommand => TpmPolicyGetDigestResponse,
    TestParms: TpmTestParmsCommand => TpmTestParmsResponse,
    Commit: TpmCommitCommand => TpmCommitResponse,
    PolicyPassword: TpmPolicyPasswordCommand => TpmPolicyPasswordResponse,
    ZGen2Phase: TpmZGen2PhaseCommand => TpmZGen2PhaseResponse,
    EcEphemeral: TpmEcEphemeralCommand => TpmEcEphemeralResponse,
    PolicyNvWritten: TpmPolicyNvWrittenCommand => TpmPolicyNvWrittenResponse,
    PolicyTemplate: TpmPolicyTemplateCommand => TpmPolicyTemplateResponse,
    CreateLoaded: TpmCreateLoadedCommand => TpmCreateLoadedResponse,
    PolicyAuthorizeNv: TpmPolicyAuthorizeNvCommand => TpmPolicyAuthorizeNvResponse,
    EncryptDecrypt2: TpmEncryptDecrypt2Command => TpmEncryptDecrypt2Response,
    ActSetTimeout: TpmActSetTimeoutCommand => TpmActSetTimeoutResponse,
    EccEncrypt: TpmEccEncryptCommand => TpmEccEncryptResponse,
    EccDecrypt: TpmEccDecryptCommand => TpmEccDecryptResponse,
    PolicyParameters: TpmPolicyParametersCommand => TpmPolicyParametersResponse,
    ReadOnlyControl: TpmReadOnlyControlCommand => TpmReadOnlyControlResponse,
    PolicyTransportSpdm: TpmPolicyTransportSpdmCommand => TpmPolicyTransportSpdmResponse,
}
