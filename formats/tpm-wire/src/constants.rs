// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Constants that have no arithmetic of their own: `TPM_ST`, `TPM_SU`, `TPM_SE`, `TPM_EO`, `TPM_CAP`, `TPM_PT` (Part 2).
use crate::{Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

/// The magic number of attestation structures (`TPM_GENERATED_VALUE`).
pub const TPM_GENERATED: u32 = 0xFF54_4347;

/// Declares an enum that is written as a number, and the response code for all other numbers.
macro_rules! constants {
    ($($(#[$meta:meta])* pub enum $name:ident($int:ty) or $error:ident {
        $($(#[$variant_meta:meta])* $variant:ident = $value:literal,)*
    })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)*
        }

        impl $name {
            /// Returns the value with this number.
            pub const fn from_number(number: $int) -> Option<Self> {
                match number {
                    $($value => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Returns the number.
            pub const fn number(self) -> $int {
                match self {
                    $(Self::$variant => $value,)*
                }
            }
        }

        impl<'a> Unmarshal<'a> for $name {
            fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
                Self::from_number(reader.read()?).ok_or(Rc::$error)
            }
        }

        impl Marshal for $name {
            fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
                writer.write(&self.number())
            }
        }
    )* };
}

constants! {
    /// The tag of a command (`TPMI_ST_COMMAND_TAG`).
    pub enum CommandTag(u16) or BAD_TAG {
        /// `TPM_ST_NO_SESSIONS`.
        NoSessions = 0x8001,
        /// `TPM_ST_SESSIONS`.
        Sessions = 0x8002,
    }

    /// The kind of a startup or shutdown (`TPM_SU`).
    pub enum TpmSu(u16) or VALUE {
        /// `TPM_SU_CLEAR`.
        Clear = 0x0000,
        /// `TPM_SU_STATE`.
        State = 0x0001,
    }

    /// The kind of a session (`TPM_SE`).
    pub enum TpmSe(u8) or VALUE {
        /// `TPM_SE_HMAC`.
        Hmac = 0x00,
        /// `TPM_SE_POLICY`.
        Policy = 0x01,
        /// `TPM_SE_TRIAL`.
        Trial = 0x03,
    }

    /// An arithmetic comparison (`TPM_EO`).
    pub enum TpmEo(u16) or VALUE {
        /// A = B.
        Eq = 0x0000,
        /// A ≠ B.
        Neq = 0x0001,
        /// A > B, signed.
        SignedGt = 0x0002,
        /// A > B, unsigned.
        UnsignedGt = 0x0003,
        /// A < B, signed.
        SignedLt = 0x0004,
        /// A < B, unsigned.
        UnsignedLt = 0x0005,
        /// A ≥ B, signed.
        SignedGe = 0x0006,
        /// A ≥ B, unsigned.
        UnsignedGe = 0x0007,
        /// A ≤ B, signed.
        SignedLe = 0x0008,
        /// A ≤ B, unsigned.
        UnsignedLe = 0x0009,
        /// All bits set in B are set in A.
        BitSet = 0x000A,
        /// All bits set in B are clear in A.
        BitClear = 0x000B,
    }

    /// A change of the clock's rate (`TPM_CLOCK_ADJUST`).
    pub enum TpmClockAdjust(i8) or VALUE {
        /// One coarse step slower.
        CoarseSlower = -3,
        /// One medium step slower.
        MediumSlower = -2,
        /// One fine step slower.
        FineSlower = -1,
        /// No change.
        NoChange = 0,
        /// One fine step faster.
        FineFaster = 1,
        /// One medium step faster.
        MediumFaster = 2,
        /// One coarse step faster.
        CoarseFaster = 3,
    }

    /// A kind of capability (`TPM_CAP`).
    pub enum TpmCap(u32) or VALUE {
        /// Algorithms.
        Algs = 0x0000_0000,
        /// Handles.
        Handles = 0x0000_0001,
        /// Commands with their attributes.
        Commands = 0x0000_0002,
        /// Commands that need physical presence.
        PpCommands = 0x0000_0003,
        /// Commands that are audited.
        AuditCommands = 0x0000_0004,
        /// The PCR banks.
        Pcrs = 0x0000_0005,
        /// Properties of the TPM.
        TpmProperties = 0x0000_0006,
        /// Properties of the PCRs.
        PcrProperties = 0x0000_0007,
        /// Elliptic curves.
        EccCurves = 0x0000_0008,
        /// Policies of permanent handles.
        AuthPolicies = 0x0000_0009,
        /// Authenticated countdown timers.
        Act = 0x0000_000A,
        /// Public keys of the TPM.
        PubKeys = 0x0000_000B,
        /// SPDM sessions.
        SpdmSessionInfo = 0x0000_000C,
        /// Vendor properties.
        VendorProperty = 0x0000_0100,
    }

    /// The kind of an NV index that can be defined (`TPM_HT`, as the selector of `TPMT_NV_PUBLIC_2`).
    pub enum NvHandleType(u8) or SELECTOR {
        /// `TPM_HT_NV_INDEX`.
        NvIndex = 0x01,
        /// `TPM_HT_EXTERNAL_NV`.
        ExternalNv = 0x11,
    }

    /// A yes or a no (`TPMI_YES_NO`).
    pub enum YesNo(u8) or VALUE {
        /// NO.
        No = 0,
        /// YES.
        Yes = 1,
    }

    /// The kind of an attestation structure (`TPMI_ST_ATTEST`).
    pub enum AttestTag(u16) or VALUE {
        /// `TPM_ST_ATTEST_NV`.
        Nv = 0x8014,
        /// `TPM_ST_ATTEST_COMMAND_AUDIT`.
        CommandAudit = 0x8015,
        /// `TPM_ST_ATTEST_SESSION_AUDIT`.
        SessionAudit = 0x8016,
        /// `TPM_ST_ATTEST_CERTIFY`.
        Certify = 0x8017,
        /// `TPM_ST_ATTEST_QUOTE`.
        Quote = 0x8018,
        /// `TPM_ST_ATTEST_TIME`.
        Time = 0x8019,
        /// `TPM_ST_ATTEST_CREATION`.
        Creation = 0x801A,
        /// `TPM_ST_ATTEST_NV_DIGEST`.
        NvDigest = 0x801C,
    }
}

impl YesNo {
    /// Returns whether it is a yes.
    pub const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }
}

impl From<bool> for YesNo {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

impl From<YesNo> for bool {
    fn from(value: YesNo) -> Self {
        value.is_yes()
    }
}

/// The tag of a response to a command whose tag is unknown (`TPM_ST_RSP_COMMAND`).
pub const ST_RSP_COMMAND: u16 = 0x00C4;
/// The tag of a creation ticket (`TPM_ST_CREATION`).
pub const ST_CREATION: u16 = 0x8021;
/// The tag of a verification ticket (`TPM_ST_VERIFIED`).
pub const ST_VERIFIED: u16 = 0x8022;
/// The tag of a verification ticket for a message (`TPM_ST_MESSAGE_VERIFIED`).
pub const ST_MESSAGE_VERIFIED: u16 = 0x8026;
/// The tag of a verification ticket for a digest (`TPM_ST_DIGEST_VERIFIED`).
pub const ST_DIGEST_VERIFIED: u16 = 0x8027;
/// The tag of a secret's authorization ticket (`TPM_ST_AUTH_SECRET`).
pub const ST_AUTH_SECRET: u16 = 0x8023;
/// The tag of a hash ticket (`TPM_ST_HASHCHECK`).
pub const ST_HASHCHECK: u16 = 0x8024;
/// The tag of a signature's authorization ticket (`TPM_ST_AUTH_SIGNED`).
pub const ST_AUTH_SIGNED: u16 = 0x8025;

/// A property of the TPM (`TPM_PT`) or of the PCRs (`TPM_PT_PCR`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TpmPt(pub u32);

macro_rules! properties {
    ($($name:ident = $value:literal;)*) => {
        impl TpmPt {
            $(
                #[doc = concat!("`TPM_PT_", stringify!($name), "`.")]
                pub const $name: Self = Self($value);
            )*
        }
    };
}

properties! {
    FAMILY_INDICATOR = 0x0100;
    LEVEL = 0x0101;
    REVISION = 0x0102;
    ERRATA = 0x0103;
    YEAR = 0x0104;
    MANUFACTURER = 0x0105;
    VENDOR_STRING_1 = 0x0106;
    VENDOR_STRING_2 = 0x0107;
    VENDOR_STRING_3 = 0x0108;
    VENDOR_STRING_4 = 0x0109;
    VENDOR_TPM_TYPE = 0x010a;
    FIRMWARE_VERSION_1 = 0x010b;
    FIRMWARE_VERSION_2 = 0x010c;
    INPUT_BUFFER = 0x010d;
    HR_TRANSIENT_MIN = 0x010e;
    HR_PERSISTENT_MIN = 0x010f;
    HR_LOADED_MIN = 0x0110;
    ACTIVE_SESSIONS_MAX = 0x0111;
    PCR_COUNT = 0x0112;
    PCR_SELECT_MIN = 0x0113;
    CONTEXT_GAP_MAX = 0x0114;
    NV_COUNTERS_MAX = 0x0116;
    NV_INDEX_MAX = 0x0117;
    MEMORY = 0x0118;
    CLOCK_UPDATE = 0x0119;
    CONTEXT_HASH = 0x011a;
    CONTEXT_SYM = 0x011b;
    CONTEXT_SYM_SIZE = 0x011c;
    ORDERLY_COUNT = 0x011d;
    MAX_COMMAND_SIZE = 0x011e;
    MAX_RESPONSE_SIZE = 0x011f;
    MAX_DIGEST = 0x0120;
    MAX_OBJECT_CONTEXT = 0x0121;
    MAX_SESSION_CONTEXT = 0x0122;
    PS_FAMILY_INDICATOR = 0x0123;
    PS_LEVEL = 0x0124;
    PS_REVISION = 0x0125;
    PS_DAY_OF_YEAR = 0x0126;
    PS_YEAR = 0x0127;
    SPLIT_MAX = 0x0128;
    TOTAL_COMMANDS = 0x0129;
    LIBRARY_COMMANDS = 0x012a;
    VENDOR_COMMANDS = 0x012b;
    NV_BUFFER_MAX = 0x012c;
    MODES = 0x012d;
    MAX_CAP_BUFFER = 0x012e;
    FIRMWARE_SVN = 0x012f;
    FIRMWARE_MAX_SVN = 0x0130;
    ML_PARAMETER_SETS = 0x0131;
    PERMANENT = 0x0200;
    STARTUP_CLEAR = 0x0201;
    HR_NV_INDEX = 0x0202;
    HR_LOADED = 0x0203;
    HR_LOADED_AVAIL = 0x0204;
    HR_ACTIVE = 0x0205;
    HR_ACTIVE_AVAIL = 0x0206;
    HR_TRANSIENT_AVAIL = 0x0207;
    HR_PERSISTENT = 0x0208;
    HR_PERSISTENT_AVAIL = 0x0209;
    NV_COUNTERS = 0x020a;
    NV_COUNTERS_AVAIL = 0x020b;
    ALGORITHM_SET = 0x020c;
    LOADED_CURVES = 0x020d;
    LOCKOUT_COUNTER = 0x020e;
    MAX_AUTH_FAIL = 0x020f;
    LOCKOUT_INTERVAL = 0x0210;
    LOCKOUT_RECOVERY = 0x0211;
    NV_WRITE_RECOVERY = 0x0212;
    AUDIT_COUNTER_0 = 0x0213;
    AUDIT_COUNTER_1 = 0x0214;
    PCR_SAVE = 0x0000;
    PCR_EXTEND_L0 = 0x0001;
    PCR_RESET_L0 = 0x0002;
    PCR_EXTEND_L1 = 0x0003;
    PCR_RESET_L1 = 0x0004;
    PCR_EXTEND_L2 = 0x0005;
    PCR_RESET_L2 = 0x0006;
    PCR_EXTEND_L3 = 0x0007;
    PCR_RESET_L3 = 0x0008;
    PCR_EXTEND_L4 = 0x0009;
    PCR_RESET_L4 = 0x000a;
    PCR_NO_INCREMENT = 0x0011;
    PCR_DRTM_RESET = 0x0012;
    PCR_POLICY = 0x0013;
    PCR_AUTH = 0x0014;
}

impl<'a> Unmarshal<'a> for TpmPt {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        reader.read().map(Self)
    }
}

impl Marshal for TpmPt {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn an_undefined_value_is_the_error_of_its_type() {
        assert_eq!(from_bytes::<TpmSu>(&[0, 2], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<TpmSe>(&[2], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<YesNo>(&[2], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<CommandTag>(&[0x80, 0x03], &Supported::ALL), Err(Rc::BAD_TAG));
        assert_eq!(from_bytes::<TpmClockAdjust>(&[0xFC], &Supported::ALL), Err(Rc::VALUE));
    }

    #[test]
    fn clock_adjustments_are_signed() {
        assert_eq!(from_bytes::<TpmClockAdjust>(&[0xFD], &Supported::ALL), Ok(TpmClockAdjust::CoarseSlower));
    }
}
