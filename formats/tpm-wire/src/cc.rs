// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `TPM_CC`: command codes (Part 2, "TPM_CC Listing").
use core::fmt;

use crate::{Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

/// A command code.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cc(pub u32);

macro_rules! commands {
    ($($name:ident = $value:literal, $text:literal)*) => {
        impl Cc {
            $(
                #[doc = concat!("`", $text, "`.")]
                pub const $name: Self = Self($value);
            )*

            /// Returns the name of the command as Part 3 writes it.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }

        /// Each command code that Part 2 defines, in ascending order.
        pub const ALL_COMMAND_CODES: &[Cc] = &[$(Cc::$name),*];
    };
}

commands! {
    NV_UNDEFINE_SPACE_SPECIAL = 0x011f, "TPM2_NV_UndefineSpaceSpecial"
    EVICT_CONTROL = 0x0120, "TPM2_EvictControl"
    HIERARCHY_CONTROL = 0x0121, "TPM2_HierarchyControl"
    NV_UNDEFINE_SPACE = 0x0122, "TPM2_NV_UndefineSpace"
    CHANGE_EPS = 0x0124, "TPM2_ChangeEPS"
    CHANGE_PPS = 0x0125, "TPM2_ChangePPS"
    CLEAR = 0x0126, "TPM2_Clear"
    CLEAR_CONTROL = 0x0127, "TPM2_ClearControl"
    CLOCK_SET = 0x0128, "TPM2_ClockSet"
    HIERARCHY_CHANGE_AUTH = 0x0129, "TPM2_HierarchyChangeAuth"
    NV_DEFINE_SPACE = 0x012a, "TPM2_NV_DefineSpace"
    PCR_ALLOCATE = 0x012b, "TPM2_PCR_Allocate"
    PCR_SET_AUTH_POLICY = 0x012c, "TPM2_PCR_SetAuthPolicy"
    PP_COMMANDS = 0x012d, "TPM2_PP_Commands"
    SET_PRIMARY_POLICY = 0x012e, "TPM2_SetPrimaryPolicy"
    FIELD_UPGRADE_START = 0x012f, "TPM2_FieldUpgradeStart"
    CLOCK_RATE_ADJUST = 0x0130, "TPM2_ClockRateAdjust"
    CREATE_PRIMARY = 0x0131, "TPM2_CreatePrimary"
    NV_GLOBAL_WRITE_LOCK = 0x0132, "TPM2_NV_GlobalWriteLock"
    GET_COMMAND_AUDIT_DIGEST = 0x0133, "TPM2_GetCommandAuditDigest"
    NV_INCREMENT = 0x0134, "TPM2_NV_Increment"
    NV_SET_BITS = 0x0135, "TPM2_NV_SetBits"
    NV_EXTEND = 0x0136, "TPM2_NV_Extend"
    NV_WRITE = 0x0137, "TPM2_NV_Write"
    NV_WRITE_LOCK = 0x0138, "TPM2_NV_WriteLock"
    DICTIONARY_ATTACK_LOCK_RESET = 0x0139, "TPM2_DictionaryAttackLockReset"
    DICTIONARY_ATTACK_PARAMETERS = 0x013a, "TPM2_DictionaryAttackParameters"
    NV_CHANGE_AUTH = 0x013b, "TPM2_NV_ChangeAuth"
    PCR_EVENT = 0x013c, "TPM2_PCR_Event"
    PCR_RESET = 0x013d, "TPM2_PCR_Reset"
    SEQUENCE_COMPLETE = 0x013e, "TPM2_SequenceComplete"
    SET_ALGORITHM_SET = 0x013f, "TPM2_SetAlgorithmSet"
    SET_COMMAND_CODE_AUDIT_STATUS = 0x0140, "TPM2_SetCommandCodeAuditStatus"
    FIELD_UPGRADE_DATA = 0x0141, "TPM2_FieldUpgradeData"
    INCREMENTAL_SELF_TEST = 0x0142, "TPM2_IncrementalSelfTest"
    SELF_TEST = 0x0143, "TPM2_SelfTest"
    STARTUP = 0x0144, "TPM2_Startup"
    SHUTDOWN = 0x0145, "TPM2_Shutdown"
    STIR_RANDOM = 0x0146, "TPM2_StirRandom"
    ACTIVATE_CREDENTIAL = 0x0147, "TPM2_ActivateCredential"
    CERTIFY = 0x0148, "TPM2_Certify"
    POLICY_NV = 0x0149, "TPM2_PolicyNV"
    CERTIFY_CREATION = 0x014a, "TPM2_CertifyCreation"
    DUPLICATE = 0x014b, "TPM2_Duplicate"
    GET_TIME = 0x014c, "TPM2_GetTime"
    GET_SESSION_AUDIT_DIGEST = 0x014d, "TPM2_GetSessionAuditDigest"
    NV_READ = 0x014e, "TPM2_NV_Read"
    NV_READ_LOCK = 0x014f, "TPM2_NV_ReadLock"
    OBJECT_CHANGE_AUTH = 0x0150, "TPM2_ObjectChangeAuth"
    POLICY_SECRET = 0x0151, "TPM2_PolicySecret"
    REWRAP = 0x0152, "TPM2_Rewrap"
    CREATE = 0x0153, "TPM2_Create"
    ECDH_ZGEN = 0x0154, "TPM2_ECDH_ZGen"
    HMAC = 0x0155, "TPM2_HMAC"
    IMPORT = 0x0156, "TPM2_Import"
    LOAD = 0x0157, "TPM2_Load"
    QUOTE = 0x0158, "TPM2_Quote"
    RSA_DECRYPT = 0x0159, "TPM2_RSA_Decrypt"
    HMAC_START = 0x015b, "TPM2_HMAC_Start"
    SEQUENCE_UPDATE = 0x015c, "TPM2_SequenceUpdate"
    SIGN = 0x015d, "TPM2_Sign"
    UNSEAL = 0x015e, "TPM2_Unseal"
    POLICY_SIGNED = 0x0160, "TPM2_PolicySigned"
    CONTEXT_LOAD = 0x0161, "TPM2_ContextLoad"
    CONTEXT_SAVE = 0x0162, "TPM2_ContextSave"
    ECDH_KEY_GEN = 0x0163, "TPM2_ECDH_KeyGen"
    ENCRYPT_DECRYPT = 0x0164, "TPM2_EncryptDecrypt"
    FLUSH_CONTEXT = 0x0165, "TPM2_FlushContext"
    LOAD_EXTERNAL = 0x0167, "TPM2_LoadExternal"
    MAKE_CREDENTIAL = 0x0168, "TPM2_MakeCredential"
    NV_READ_PUBLIC = 0x0169, "TPM2_NV_ReadPublic"
    POLICY_AUTHORIZE = 0x016a, "TPM2_PolicyAuthorize"
    POLICY_AUTH_VALUE = 0x016b, "TPM2_PolicyAuthValue"
    POLICY_COMMAND_CODE = 0x016c, "TPM2_PolicyCommandCode"
    POLICY_COUNTER_TIMER = 0x016d, "TPM2_PolicyCounterTimer"
    POLICY_CP_HASH = 0x016e, "TPM2_PolicyCpHash"
    POLICY_LOCALITY = 0x016f, "TPM2_PolicyLocality"
    POLICY_NAME_HASH = 0x0170, "TPM2_PolicyNameHash"
    POLICY_OR = 0x0171, "TPM2_PolicyOR"
    POLICY_TICKET = 0x0172, "TPM2_PolicyTicket"
    READ_PUBLIC = 0x0173, "TPM2_ReadPublic"
    RSA_ENCRYPT = 0x0174, "TPM2_RSA_Encrypt"
    START_AUTH_SESSION = 0x0176, "TPM2_StartAuthSession"
    VERIFY_SIGNATURE = 0x0177, "TPM2_VerifySignature"
    ECC_PARAMETERS = 0x0178, "TPM2_ECC_Parameters"
    FIRMWARE_READ = 0x0179, "TPM2_FirmwareRead"
    GET_CAPABILITY = 0x017a, "TPM2_GetCapability"
    GET_RANDOM = 0x017b, "TPM2_GetRandom"
    GET_TEST_RESULT = 0x017c, "TPM2_GetTestResult"
    HASH = 0x017d, "TPM2_Hash"
    PCR_READ = 0x017e, "TPM2_PCR_Read"
    POLICY_PCR = 0x017f, "TPM2_PolicyPCR"
    POLICY_RESTART = 0x0180, "TPM2_PolicyRestart"
    READ_CLOCK = 0x0181, "TPM2_ReadClock"
    PCR_EXTEND = 0x0182, "TPM2_PCR_Extend"
    PCR_SET_AUTH_VALUE = 0x0183, "TPM2_PCR_SetAuthValue"
    NV_CERTIFY = 0x0184, "TPM2_NV_Certify"
    EVENT_SEQUENCE_COMPLETE = 0x0185, "TPM2_EventSequenceComplete"
    HASH_SEQUENCE_START = 0x0186, "TPM2_HashSequenceStart"
    POLICY_PHYSICAL_PRESENCE = 0x0187, "TPM2_PolicyPhysicalPresence"
    POLICY_DUPLICATION_SELECT = 0x0188, "TPM2_PolicyDuplicationSelect"
    POLICY_GET_DIGEST = 0x0189, "TPM2_PolicyGetDigest"
    TEST_PARMS = 0x018a, "TPM2_TestParms"
    COMMIT = 0x018b, "TPM2_Commit"
    POLICY_PASSWORD = 0x018c, "TPM2_PolicyPassword"
    ZGEN_2PHASE = 0x018d, "TPM2_ZGen_2Phase"
    EC_EPHEMERAL = 0x018e, "TPM2_EC_Ephemeral"
    POLICY_NV_WRITTEN = 0x018f, "TPM2_PolicyNvWritten"
    POLICY_TEMPLATE = 0x0190, "TPM2_PolicyTemplate"
    CREATE_LOADED = 0x0191, "TPM2_CreateLoaded"
    POLICY_AUTHORIZE_NV = 0x0192, "TPM2_PolicyAuthorizeNV"
    ENCRYPT_DECRYPT2 = 0x0193, "TPM2_EncryptDecrypt2"
    AC_GET_CAPABILITY = 0x0194, "TPM2_AC_GetCapability"
    AC_SEND = 0x0195, "TPM2_AC_Send"
    POLICY_AC_SEND_SELECT = 0x0196, "TPM2_Policy_AC_SendSelect"
    CERTIFY_X509 = 0x0197, "TPM2_CertifyX509"
    ACT_SET_TIMEOUT = 0x0198, "TPM2_ACT_SetTimeout"
    ECC_ENCRYPT = 0x0199, "TPM2_ECC_Encrypt"
    ECC_DECRYPT = 0x019a, "TPM2_ECC_Decrypt"
    POLICY_CAPABILITY = 0x019b, "TPM2_PolicyCapability"
    POLICY_PARAMETERS = 0x019c, "TPM2_PolicyParameters"
    NV_DEFINE_SPACE2 = 0x019d, "TPM2_NV_DefineSpace2"
    NV_READ_PUBLIC2 = 0x019e, "TPM2_NV_ReadPublic2"
    SET_CAPABILITY = 0x019f, "TPM2_SetCapability"
    READ_ONLY_CONTROL = 0x01a0, "TPM2_ReadOnlyControl"
    POLICY_TRANSPORT_SPDM = 0x01a1, "TPM2_PolicyTransportSPDM"
    VERIFY_SEQUENCE_COMPLETE = 0x01a3, "TPM2_VerifySequenceComplete"
    SIGN_SEQUENCE_COMPLETE = 0x01a4, "TPM2_SignSequenceComplete"
    VERIFY_DIGEST_SIGNATURE = 0x01a5, "TPM2_VerifyDigestSignature"
    SIGN_DIGEST = 0x01a6, "TPM2_SignDigest"
    ENCAPSULATE = 0x01a7, "TPM2_Encapsulate"
    DECAPSULATE = 0x01a8, "TPM2_Decapsulate"
    VERIFY_SEQUENCE_START = 0x01a9, "TPM2_VerifySequenceStart"
    SIGN_SEQUENCE_START = 0x01aa, "TPM2_SignSequenceStart"
}

impl Cc {
    /// `TPM2_MAC`, which shares its code with `TPM2_HMAC`.
    pub const MAC: Self = Self::HMAC;
    /// `TPM2_MAC_Start`, which shares its code with `TPM2_HMAC_Start`.
    pub const MAC_START: Self = Self::HMAC_START;
}

impl fmt::Display for Cc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "TPM_CC {:#010x}", self.0),
        }
    }
}

impl fmt::Debug for Cc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Accepts any number: which commands exist is the TPM's own table, not a property of the wire.
impl<'a> Unmarshal<'a> for Cc {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        reader.read().map(Self)
    }
}

impl Marshal for Cc {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_without_repetition() {
        assert!(ALL_COMMAND_CODES.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn a_code_knows_its_name() {
        assert_eq!(Cc::PCR_EXTEND, Cc(0x182));
        assert_eq!(Cc::PCR_EXTEND.name(), Some("TPM2_PCR_Extend"));
        assert_eq!(Cc(0x1A2).name(), None);
    }
}
