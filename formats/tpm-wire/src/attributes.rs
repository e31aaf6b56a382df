// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attribute structures (`TPMA_*`): sets of bits with names (Part 2, "Attribute Structures").
use crate::{Cc, Marshal, Overflow, Rc, Reader, Unmarshal, Writer};

macro_rules! attributes {
    ($($(#[$meta:meta])* pub struct $name:ident($int:ty) reserved $reserved:literal {
        $($(#[$bit_meta:meta])* $bit:ident = $value:expr;)*
    })*) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub $int);

        impl $name {
            /// No attribute.
            pub const NONE: Self = Self(0);
            /// The bits that shall be zero.
            pub const RESERVED: Self = Self($reserved);
            $($(#[$bit_meta])* pub const $bit: Self = Self($value);)*

            /// Returns whether all of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Returns whether any of `other` is set.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// Returns the attributes with `other` set.
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Returns the attributes with `other` clear.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Returns the attributes with `other` set or clear.
            pub const fn assign(self, other: Self, set: bool) -> Self {
                if set { self.with(other) } else { self.without(other) }
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.with(other)
            }
        }

        /// "TPM_RC_RESERVED_BITS: a non-zero value was found in a reserved field of an attribute structure"
        impl<'a> Unmarshal<'a> for $name {
            fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
                let value = Self(reader.read()?);
                if value.intersects(Self::RESERVED) { Err(Rc::RESERVED_BITS) } else { Ok(value) }
            }
        }

        impl Marshal for $name {
            fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
                writer.write(&self.0)
            }
        }
    )* };
}

attributes! {
    /// What an algorithm is (`TPMA_ALGORITHM`).
    pub struct TpmaAlgorithm(u32) reserved 0xFFFF_F8F0 {
        /// An asymmetric algorithm.
        ASYMMETRIC = 1 << 0;
        /// A symmetric block cipher.
        SYMMETRIC = 1 << 1;
        /// A hash algorithm.
        HASH = 1 << 2;
        /// An algorithm that may be an object type.
        OBJECT = 1 << 3;
        /// A signing algorithm.
        SIGNING = 1 << 8;
        /// An encryption algorithm.
        ENCRYPTING = 1 << 9;
        /// A method such as a key derivation function.
        METHOD = 1 << 10;
    }

    /// What an object may do (`TPMA_OBJECT`).
    pub struct TpmaObject(u32) reserved 0xFFF0_F009 {
        /// `fixedTPM`: the hierarchy of the object may not change.
        FIXED_TPM = 1 << 1;
        /// `stClear`: saved contexts do not survive Startup(CLEAR).
        ST_CLEAR = 1 << 2;
        /// `fixedParent`: the parent may not change.
        FIXED_PARENT = 1 << 4;
        /// `sensitiveDataOrigin`: the TPM made the sensitive data.
        SENSITIVE_DATA_ORIGIN = 1 << 5;
        /// `userWithAuth`: USER role actions may be approved with the authValue.
        USER_WITH_AUTH = 1 << 6;
        /// `adminWithPolicy`: ADMIN role actions may be approved only with a policy.
        ADMIN_WITH_POLICY = 1 << 7;
        /// `firmwareLimited`: the object exists only in a firmware-limited hierarchy.
        FIRMWARE_LIMITED = 1 << 8;
        /// `svnLimited`: the object exists only in an SVN-limited hierarchy.
        SVN_LIMITED = 1 << 9;
        /// `noDA`: no dictionary attack protection.
        NO_DA = 1 << 10;
        /// `encryptedDuplication`: duplication needs an inner wrapper and a new parent.
        ENCRYPTED_DUPLICATION = 1 << 11;
        /// `restricted`: manipulates only structures of known format.
        RESTRICTED = 1 << 16;
        /// `decrypt`: the private part may decrypt.
        DECRYPT = 1 << 17;
        /// `sign`: the private part may sign; of a symmetric cipher, encrypt.
        SIGN = 1 << 18;
        /// `x509sign`: signs X.509 certificates only.
        X509_SIGN = 1 << 19;
    }

    /// How a session is used by a command (`TPMA_SESSION`).
    pub struct TpmaSession(u8) reserved 0x18 {
        /// `continueSession`: the session stays active after the command.
        CONTINUE_SESSION = 1 << 0;
        /// `auditExclusive`: the command runs only if the session is exclusive.
        AUDIT_EXCLUSIVE = 1 << 1;
        /// `auditReset`: the audit digest starts anew.
        AUDIT_RESET = 1 << 2;
        /// `decrypt`: the first command parameter is encrypted.
        DECRYPT = 1 << 5;
        /// `encrypt`: the first response parameter is to be encrypted.
        ENCRYPT = 1 << 6;
        /// `audit`: the session is for audit.
        AUDIT = 1 << 7;
    }

    /// A set of localities, or one extended locality (`TPMA_LOCALITY`).
    pub struct TpmaLocality(u8) reserved 0 {
        /// Locality 0.
        ZERO = 1 << 0;
        /// Locality 1.
        ONE = 1 << 1;
        /// Locality 2.
        TWO = 1 << 2;
        /// Locality 3.
        THREE = 1 << 3;
        /// Locality 4.
        FOUR = 1 << 4;
        /// The bits that make the value an extended locality if any is set.
        EXTENDED = 0xE0;
    }

    /// Persistent attributes of the TPM (`TPMA_PERMANENT`).
    pub struct TpmaPermanent(u32) reserved 0xFFFF_F8F8 {
        /// `ownerAuthSet`.
        OWNER_AUTH_SET = 1 << 0;
        /// `endorsementAuthSet`.
        ENDORSEMENT_AUTH_SET = 1 << 1;
        /// `lockoutAuthSet`.
        LOCKOUT_AUTH_SET = 1 << 2;
        /// `disableClear`: TPM2_Clear is disabled.
        DISABLE_CLEAR = 1 << 8;
        /// `inLockout`.
        IN_LOCKOUT = 1 << 9;
        /// `tpmGeneratedEPS`: the TPM made its endorsement primary seed.
        TPM_GENERATED_EPS = 1 << 10;
    }

    /// Attributes that Startup(CLEAR) sets (`TPMA_STARTUP_CLEAR`).
    pub struct TpmaStartupClear(u32) reserved 0x7FFF_FFE0 {
        /// `phEnable`: the platform hierarchy is enabled.
        PH_ENABLE = 1 << 0;
        /// `shEnable`: the storage hierarchy is enabled.
        SH_ENABLE = 1 << 1;
        /// `ehEnable`: the endorsement hierarchy is enabled.
        EH_ENABLE = 1 << 2;
        /// `phEnableNV`: platform-created NV indices are enabled.
        PH_ENABLE_NV = 1 << 3;
        /// `readOnly`: the TPM is in read-only mode.
        READ_ONLY = 1 << 4;
        /// `orderly`: the last shutdown was orderly.
        ORDERLY = 1 << 31;
    }

    /// How memory is shared (`TPMA_MEMORY`).
    pub struct TpmaMemory(u32) reserved 0xFFFF_FFF8 {
        /// `sharedRAM`: objects and sessions share RAM.
        SHARED_RAM = 1 << 0;
        /// `sharedNV`: indices and persistent objects share NV.
        SHARED_NV = 1 << 1;
        /// `objectCopiedToRam`: a persistent object takes a transient slot when used.
        OBJECT_COPIED_TO_RAM = 1 << 2;
    }

    /// What a command is like (`TPMA_CC`).
    pub struct TpmaCc(u32) reserved 0xC03F_0000 {
        /// `nv`: may write NV.
        NV = 1 << 22;
        /// `extensive`: may flush any number of loaded contexts.
        EXTENSIVE = 1 << 23;
        /// `flushed`: flushes a handle of the command.
        FLUSHED = 1 << 24;
        /// `rHandle`: the response has a handle.
        R_HANDLE = 1 << 28;
        /// `V`: a vendor command.
        VENDOR = 1 << 29;
    }

    /// The modes that the TPM is designed to (`TPMA_MODES`).
    pub struct TpmaModes(u32) reserved 0xFFFF_FFF0 {
        /// FIPS 140-2.
        FIPS_140_2 = 1 << 0;
        /// FIPS 140-3.
        FIPS_140_3 = 1 << 1;
    }

    /// The parameter sets of ML-KEM and ML-DSA that a TPM has (`TPMA_ML_PARAMETER_SET`).
    pub struct TpmaMlParameterSet(u32) reserved 0xFFFF_FF80 {
        /// ML-KEM-512.
        ML_KEM_512 = 1 << 0;
        /// ML-KEM-768.
        ML_KEM_768 = 1 << 1;
        /// ML-KEM-1024.
        ML_KEM_1024 = 1 << 2;
        /// ML-DSA-44.
        ML_DSA_44 = 1 << 3;
        /// ML-DSA-65.
        ML_DSA_65 = 1 << 4;
        /// ML-DSA-87.
        ML_DSA_87 = 1 << 5;
        /// ML-DSA keys may sign message representatives that were computed outside.
        EXT_MU = 1 << 6;
        /// All of them.
        ALL = 0x7F;
    }

    /// Attributes of an authenticated countdown timer (`TPMA_ACT`).
    pub struct TpmaAct(u32) reserved 0xFFFF_FFFC {
        /// The timer has signaled.
        SIGNALED = 1 << 0;
        /// The state of `signaled` is preserved.
        PRESERVE_SIGNALED = 1 << 1;
    }

    /// Attributes of an NV index (`TPMA_NV`).
    pub struct TpmaNv(u32) reserved 0x01F0_0300 {
        /// `TPMA_NV_PPWRITE`: platform authorization may write.
        PPWRITE = 1 << 0;
        /// `TPMA_NV_OWNERWRITE`: owner authorization may write.
        OWNERWRITE = 1 << 1;
        /// `TPMA_NV_AUTHWRITE`: the authValue of the index may write.
        AUTHWRITE = 1 << 2;
        /// `TPMA_NV_POLICYWRITE`: the policy of the index may write.
        POLICYWRITE = 1 << 3;
        /// `TPMA_NV_POLICY_DELETE`: only its policy may undefine the index.
        POLICY_DELETE = 1 << 10;
        /// `TPMA_NV_WRITELOCKED`: the index cannot be written.
        WRITELOCKED = 1 << 11;
        /// `TPMA_NV_WRITEALL`: a partial write is not allowed.
        WRITEALL = 1 << 12;
        /// `TPMA_NV_WRITEDEFINE`: NV_WriteLock locks for good.
        WRITEDEFINE = 1 << 13;
        /// `TPMA_NV_WRITE_STCLEAR`: NV_WriteLock locks until Startup(CLEAR).
        WRITE_STCLEAR = 1 << 14;
        /// `TPMA_NV_GLOBALLOCK`: NV_GlobalWriteLock locks.
        GLOBALLOCK = 1 << 15;
        /// `TPMA_NV_PPREAD`: platform authorization may read.
        PPREAD = 1 << 16;
        /// `TPMA_NV_OWNERREAD`: owner authorization may read.
        OWNERREAD = 1 << 17;
        /// `TPMA_NV_AUTHREAD`: the authValue of the index may read.
        AUTHREAD = 1 << 18;
        /// `TPMA_NV_POLICYREAD`: the policy of the index may read.
        POLICYREAD = 1 << 19;
        /// `TPMA_NV_NO_DA`: no dictionary attack protection.
        NO_DA = 1 << 25;
        /// `TPMA_NV_ORDERLY`: the state is saved only at an orderly shutdown.
        ORDERLY = 1 << 26;
        /// `TPMA_NV_CLEAR_STCLEAR`: `WRITTEN` is cleared by Startup(CLEAR).
        CLEAR_STCLEAR = 1 << 27;
        /// `TPMA_NV_READLOCKED`: reads are blocked until Startup(CLEAR).
        READLOCKED = 1 << 28;
        /// `TPMA_NV_WRITTEN`: the index has been written.
        WRITTEN = 1 << 29;
        /// `TPMA_NV_PLATFORMCREATE`: platform authorization defined the index.
        PLATFORMCREATE = 1 << 30;
        /// `TPMA_NV_READ_STCLEAR`: NV_ReadLock may lock.
        READ_STCLEAR = 1 << 31;
    }
}

attributes! {
    /// Attributes of an NV index of any kind (`TPMA_NV_EXP`): the low 32 bits are those of [`TpmaNv`].
    pub struct TpmaNvExp(u64) reserved 0xFFFF_FFF8_01F0_0300 {
        /// `TPMA_EXTERNAL_NV_ENCRYPTION`: the contents are encrypted.
        EXTERNAL_ENCRYPTION = 1 << 32;
        /// `TPMA_EXTERNAL_NV_INTEGRITY`: the contents are integrity-protected.
        EXTERNAL_INTEGRITY = 1 << 33;
        /// `TPMA_EXTERNAL_NV_ANTIROLLBACK`: the contents are rollback-protected.
        EXTERNAL_ANTIROLLBACK = 1 << 34;
    }
}

impl TpmaNvExp {
    /// Returns the attributes as an index with 32 bits has them, if no others are set.
    pub fn legacy(self) -> Option<TpmaNv> {
        u32::try_from(self.0).ok().map(TpmaNv)
    }
}

impl From<TpmaNv> for TpmaNvExp {
    fn from(attributes: TpmaNv) -> Self {
        Self(u64::from(attributes.0))
    }
}

const COMMAND_HANDLES_SHIFT: u32 = 25;

impl TpmaCc {
    /// Makes the attributes of a command with `handles` handles.
    pub const fn new(code: Cc, handles: u8) -> Self {
        Self(code.0 & 0xFFFF | (handles as u32 & 0x7) << COMMAND_HANDLES_SHIFT)
    }

    /// Returns the index of the command code.
    pub const fn command_index(self) -> u32 {
        self.0 & 0xFFFF
    }

    /// Returns the number of handles of the command.
    pub const fn command_handles(self) -> u32 {
        self.0 >> COMMAND_HANDLES_SHIFT & 0x7
    }
}

/// The type of an NV index (`TPM_NT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum NvType {
    /// Data that the TPM does not look at.
    Ordinary = 0,
    /// A 64-bit counter.
    Counter = 1,
    /// 64 bits that can only be set.
    Bits = 2,
    /// A digest that can only be extended.
    Extend = 4,
    /// A PIN index that counts failures.
    PinFail = 8,
    /// A PIN index that counts uses.
    PinPass = 9,
}

const NV_TYPE_SHIFT: u32 = 4;

impl TpmaNv {
    /// Makes attributes that hold a type alone.
    pub const fn of_type(kind: NvType) -> Self {
        Self((kind as u32) << NV_TYPE_SHIFT)
    }

    /// Returns the type, if it is a defined one.
    pub const fn nv_type(self) -> Option<NvType> {
        Some(match self.0 >> NV_TYPE_SHIFT & 0xF {
            0 => NvType::Ordinary,
            1 => NvType::Counter,
            2 => NvType::Bits,
            4 => NvType::Extend,
            8 => NvType::PinFail,
            9 => NvType::PinPass,
            _ => return None,
        })
    }
}

impl TpmaLocality {
    /// Makes the attribute of one locality: a bit for 0 to 4, the number itself for 32 and above.
    pub const fn from_locality(locality: u8) -> Option<Self> {
        match locality {
            0..=4 => Some(Self(1 << (locality & 7))),
            32.. => Some(Self(locality)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Supported, from_bytes};

    #[test]
    fn a_reserved_bit_is_refused() {
        assert_eq!(from_bytes::<TpmaObject>(&[0, 0, 0, 1], &Supported::ALL), Err(Rc::RESERVED_BITS));
        assert_eq!(from_bytes::<TpmaSession>(&[0x10], &Supported::ALL), Err(Rc::RESERVED_BITS));
        assert_eq!(from_bytes::<TpmaNv>(&[0, 0, 1, 0], &Supported::ALL), Err(Rc::RESERVED_BITS));
    }

    #[test]
    fn expanded_attributes_are_legacy_ones_while_the_high_bits_are_clear() {
        let low = TpmaNv::OWNERREAD | TpmaNv::NO_DA;
        assert_eq!(TpmaNvExp::from(low).legacy(), Some(low));
        assert_eq!(TpmaNvExp::from(low).with(TpmaNvExp::EXTERNAL_INTEGRITY).legacy(), None);
        let reserved = [0, 0, 0, 8, 0, 0, 0, 0];
        assert_eq!(from_bytes::<TpmaNvExp>(&reserved, &Supported::ALL), Err(Rc::RESERVED_BITS));
    }

    #[test]
    fn the_low_range_ek_attributes_are_000300b2() {
        let attributes = TpmaObject::FIXED_TPM
            | TpmaObject::FIXED_PARENT
            | TpmaObject::SENSITIVE_DATA_ORIGIN
            | TpmaObject::ADMIN_WITH_POLICY
            | TpmaObject::RESTRICTED
            | TpmaObject::DECRYPT;
        assert_eq!(attributes, TpmaObject(0x0003_00B2));
    }

    #[test]
    fn nv_types_stand_in_bits_4_to_7() {
        for kind in [NvType::Ordinary, NvType::Counter, NvType::Bits, NvType::Extend, NvType::PinFail, NvType::PinPass]
        {
            assert_eq!(TpmaNv::of_type(kind).with(TpmaNv::NO_DA).nv_type(), Some(kind));
        }
        assert_eq!(TpmaNv(0x30).nv_type(), None);
    }

    #[test]
    fn command_attributes_keep_code_and_handles() {
        let attributes = TpmaCc::new(Cc::ACTIVATE_CREDENTIAL, 2);
        assert_eq!((attributes.command_index(), attributes.command_handles()), (0x147, 2));
        assert!(!attributes.intersects(TpmaCc::RESERVED));
    }
}
