// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands of Part 3, one file per chapter.
//!
//! Not declared: attached components, field upgrade, and `TPM2_SetCapability`.
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

/// Calls `$macro!` with each declared command, in ascending order of the codes.
///
/// `TPM2_MAC` and `TPM2_MAC_Start` share code, roles and layout with `TPM2_HMAC` and `TPM2_HMAC_Start`, which stand for
/// them here; the engine implements the former.
#[macro_export]
macro_rules! for_each_command {
    ($macro:ident) => {
        $macro! {
            NvUndefineSpaceSpecial
            EvictControl
            HierarchyControl
            NvUndefineSpace
            ChangeEps
            ChangePps
            Clear
            ClearControl
            ClockSet
            HierarchyChangeAuth
            NvDefineSpace
            PcrAllocate
            PcrSetAuthPolicy
            PpCommands
            SetPrimaryPolicy
            ClockRateAdjust
            CreatePrimary
            NvGlobalWriteLock
            GetCommandAuditDigest
            NvIncrement
            NvSetBits
            NvExtend
            NvWrite
            NvWriteLock
            DictionaryAttackLockReset
            DictionaryAttackParameters
            NvChangeAuth
            PcrEvent
            PcrReset
            SequenceComplete
            SetAlgorithmSet
            SetCommandCodeAuditStatus
            IncrementalSelfTest
            SelfTest
            Startup
            Shutdown
            StirRandom
            ActivateCredential
            Certify
            PolicyNv
            CertifyCreation
            Duplicate
            GetTime
            GetSessionAuditDigest
            NvRead
            NvReadLock
            ObjectChangeAuth
            PolicySecret
            Rewrap
            Create
            EcdhZGen
            Hmac
            Import
            Load
            Quote
            RsaDecrypt
            HmacStart
            SequenceUpdate
            Sign
            Unseal
            PolicySigned
            ContextLoad
            ContextSave
            EcdhKeyGen
            EncryptDecrypt
            FlushContext
            LoadExternal
            MakeCredential
            NvReadPublic
            PolicyAuthorize
            PolicyAuthValue
            PolicyCommandCode
            PolicyCounterTimer
            PolicyCpHash
            PolicyLocality
            PolicyNameHash
            PolicyOr
            PolicyTicket
            ReadPublic
            RsaEncrypt
            StartAuthSession
            VerifySignature
            EccParameters
            GetCapability
            GetRandom
            GetTestResult
            Hash
            PcrRead
            PolicyPcr
            PolicyRestart
            ReadClock
            PcrExtend
            PcrSetAuthValue
            NvCertify
            EventSequenceComplete
            HashSequenceStart
            PolicyPhysicalPresence
            PolicyDuplicationSelect
            PolicyGetDigest
            TestParms
            Commit
            PolicyPassword
            ZGen2Phase
            EcEphemeral
            PolicyNvWritten
            PolicyTemplate
            CreateLoaded
            PolicyAuthorizeNv
            EncryptDecrypt2
            CertifyX509
            ActSetTimeout
            EccEncrypt
            EccDecrypt
            PolicyCapability
            PolicyParameters
            NvDefineSpace2
            NvReadPublic2
            ReadOnlyControl
            PolicyTransportSpdm
            VerifySequenceComplete
            SignSequenceComplete
            VerifyDigestSignature
            SignDigest
            Encapsulate
            Decapsulate
            VerifySequenceStart
            SignSequenceStart
        }
    };
}

macro_rules! specs {
    ($($command:ident)*) => { &[$($command::SPEC),*] };
}

/// What Part 3 says about each declared command, in ascending order of the codes.
pub const ALL_SPECS: &[Spec] = for_each_command!(specs);

#[cfg(test)]
mod tests;
