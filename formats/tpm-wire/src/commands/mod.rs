// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands of Part 3, one file per chapter.
//!
//! Not declared: attached components, field upgrade, `TPM2_SetCapability`, the NV commands for 64-bit attributes, and the
//! commands that version 185 added.
use crate::{Command, Spec};

mod act;
mod asymmetric;
mod attestation;
mod capability;
mod clock;
mod command_audit;
mod context;
mod dictionary_attack;
mod duplication;
mod ea;
mod ephemeral;
mod hierarchy;
mod management;
mod nv;
mod object;
mod pcr;
mod random;
mod sequence;
mod session;
mod signing;
mod start_up;
mod symmetric;
mod testing;

pub use act::*;
pub use asymmetric::*;
pub use attestation::*;
pub use capability::*;
pub use clock::*;
pub use command_audit::*;
pub use context::*;
pub use dictionary_attack::*;
pub use duplication::*;
pub use ea::*;
pub use ephemeral::*;
pub use hierarchy::*;
pub use management::*;
pub use nv::*;
pub use object::*;
pub use pcr::*;
pub use random::*;
pub use sequence::*;
pub use session::*;
pub use signing::*;
pub use start_up::*;
pub use symmetric::*;
pub use testing::*;

/// What Part 3 says about each declared command, in ascending order of the codes.
///
/// `TPM2_MAC` and `TPM2_MAC_Start` share code and roles with `TPM2_HMAC` and `TPM2_HMAC_Start`, which stand here.
pub const ALL_SPECS: &[Spec] = &[
    NvUndefineSpaceSpecial::SPEC,
    EvictControl::SPEC,
    HierarchyControl::SPEC,
    NvUndefineSpace::SPEC,
    ChangeEps::SPEC,
    ChangePps::SPEC,
    Clear::SPEC,
    ClearControl::SPEC,
    ClockSet::SPEC,
    HierarchyChangeAuth::SPEC,
    NvDefineSpace::SPEC,
    PcrAllocate::SPEC,
    PcrSetAuthPolicy::SPEC,
    PpCommands::SPEC,
    SetPrimaryPolicy::SPEC,
    ClockRateAdjust::SPEC,
    CreatePrimary::SPEC,
    NvGlobalWriteLock::SPEC,
    GetCommandAuditDigest::SPEC,
    NvIncrement::SPEC,
    NvSetBits::SPEC,
    NvExtend::SPEC,
    NvWrite::SPEC,
    NvWriteLock::SPEC,
    DictionaryAttackLockReset::SPEC,
    DictionaryAttackParameters::SPEC,
    NvChangeAuth::SPEC,
    PcrEvent::SPEC,
    PcrReset::SPEC,
    SequenceComplete::SPEC,
    SetAlgorithmSet::SPEC,
    SetCommandCodeAuditStatus::SPEC,
    IncrementalSelfTest::SPEC,
    SelfTest::SPEC,
    Startup::SPEC,
    Shutdown::SPEC,
    StirRandom::SPEC,
    ActivateCredential::SPEC,
    Certify::SPEC,
    PolicyNv::SPEC,
    CertifyCreation::SPEC,
    Duplicate::SPEC,
    GetTime::SPEC,
    GetSessionAuditDigest::SPEC,
    NvRead::SPEC,
    NvReadLock::SPEC,
    ObjectChangeAuth::SPEC,
    PolicySecret::SPEC,
    Rewrap::SPEC,
    Create::SPEC,
    EcdhZGen::SPEC,
    Hmac::SPEC,
    Import::SPEC,
    Load::SPEC,
    Quote::SPEC,
    RsaDecrypt::SPEC,
    HmacStart::SPEC,
    SequenceUpdate::SPEC,
    Sign::SPEC,
    Unseal::SPEC,
    PolicySigned::SPEC,
    ContextLoad::SPEC,
    ContextSave::SPEC,
    EcdhKeyGen::SPEC,
    EncryptDecrypt::SPEC,
    FlushContext::SPEC,
    LoadExternal::SPEC,
    MakeCredential::SPEC,
    NvReadPublic::SPEC,
    PolicyAuthorize::SPEC,
    PolicyAuthValue::SPEC,
    PolicyCommandCode::SPEC,
    PolicyCounterTimer::SPEC,
    PolicyCpHash::SPEC,
    PolicyLocality::SPEC,
    PolicyNameHash::SPEC,
    PolicyOr::SPEC,
    PolicyTicket::SPEC,
    ReadPublic::SPEC,
    RsaEncrypt::SPEC,
    StartAuthSession::SPEC,
    VerifySignature::SPEC,
    EccParameters::SPEC,
    GetCapability::SPEC,
    GetRandom::SPEC,
    GetTestResult::SPEC,
    Hash::SPEC,
    PcrRead::SPEC,
    PolicyPcr::SPEC,
    PolicyRestart::SPEC,
    ReadClock::SPEC,
    PcrExtend::SPEC,
    PcrSetAuthValue::SPEC,
    NvCertify::SPEC,
    EventSequenceComplete::SPEC,
    HashSequenceStart::SPEC,
    PolicyPhysicalPresence::SPEC,
    PolicyDuplicationSelect::SPEC,
    PolicyGetDigest::SPEC,
    TestParms::SPEC,
    Commit::SPEC,
    PolicyPassword::SPEC,
    ZGen2Phase::SPEC,
    EcEphemeral::SPEC,
    PolicyNvWritten::SPEC,
    PolicyTemplate::SPEC,
    CreateLoaded::SPEC,
    PolicyAuthorizeNv::SPEC,
    EncryptDecrypt2::SPEC,
    CertifyX509::SPEC,
    ActSetTimeout::SPEC,
    EccEncrypt::SPEC,
    EccDecrypt::SPEC,
    PolicyCapability::SPEC,
    PolicyParameters::SPEC,
    ReadOnlyControl::SPEC,
    PolicyTransportSpdm::SPEC,
];

#[cfg(test)]
mod tests;
