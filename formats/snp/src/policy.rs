// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The bit fields of a report: guest policy, platform information and key information (SNP ABI, "Guest Policy", "ATTESTATION_REPORT").

use core::fmt;

/// The policy under which a guest was launched (SNP ABI, "Guest Policy").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GuestPolicy(pub u64);

impl GuestPolicy {
    /// The host may use simultaneous multithreading.
    pub const SMT: u64 = 1 << 16;
    /// Reserved, must be one.
    pub const RESERVED_ONE: u64 = 1 << 17;
    /// A migration agent may be associated with the guest.
    pub const MIGRATE_MA: u64 = 1 << 18;
    /// The host may debug the guest, that is, read and write its memory.
    pub const DEBUG: u64 = 1 << 19;
    /// The guest may run on one socket only.
    pub const SINGLE_SOCKET: u64 = 1 << 20;
    /// CXL devices and memory are allowed.
    pub const CXL: u64 = 1 << 21;
    /// Memory encryption has to be AES-256-XTS.
    pub const MEM_AES_256_XTS: u64 = 1 << 22;
    /// RAPL has to be disabled.
    pub const RAPL_DISABLED: u64 = 1 << 23;
    /// Ciphertext hiding has to be enabled.
    pub const CIPHERTEXT_HIDING: u64 = 1 << 24;
    /// The host may not swap or move the guest's pages.
    pub const PAGE_SWAP_DISABLE: u64 = 1 << 25;
    /// The bits that the firmware requires to be zero.
    pub const RESERVED_ZERO: u64 = !0x03ff_ffff;

    /// Returns the lowest ABI version (major, minor) of a firmware that may run the guest.
    #[must_use]
    pub const fn abi(self) -> (u8, u8) {
        let [minor, major, ..] = self.0.to_le_bytes();
        (major, minor)
    }

    /// Says whether all of `bits` are set.
    #[must_use]
    pub const fn contains(self, bits: u64) -> bool {
        self.0 & bits == bits
    }

    /// Says whether the host may debug the guest.
    #[must_use]
    pub const fn debug(self) -> bool {
        self.contains(Self::DEBUG)
    }

    /// Says whether a migration agent may be associated with the guest.
    #[must_use]
    pub const fn migrate_ma(self) -> bool {
        self.contains(Self::MIGRATE_MA)
    }

    /// Says whether the reserved bits have the values that the firmware insists on.
    #[must_use]
    pub const fn is_well_formed(self) -> bool {
        self.contains(Self::RESERVED_ONE) && self.0 & Self::RESERVED_ZERO == 0
    }
}

impl fmt::Debug for GuestPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GuestPolicy({:#x})", self.0)
    }
}

/// What the platform has enabled (SNP ABI, "PLATFORM_INFO"); unknown bits are kept, since firmware sets them before documents do.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlatformInfo(pub u64);

impl PlatformInfo {
    /// Simultaneous multithreading is enabled.
    pub const SMT: u64 = 1 << 0;
    /// Transparent SME is enabled.
    pub const TSME: u64 = 1 << 1;
    /// The memory has error correction.
    pub const ECC: u64 = 1 << 2;
    /// RAPL is disabled.
    pub const RAPL_DISABLED: u64 = 1 << 3;
    /// Ciphertext hiding is enabled.
    pub const CIPHERTEXT_HIDING: u64 = 1 << 4;
    /// The check for memory aliases has been completed since the last reset (from report version 3).
    pub const ALIAS_CHECK_COMPLETE: u64 = 1 << 5;
    /// SEV-TIO is enabled (from report version 5).
    pub const TIO: u64 = 1 << 7;

    /// Says whether all of `bits` are set.
    #[must_use]
    pub const fn contains(self, bits: u64) -> bool {
        self.0 & bits == bits
    }
}

impl fmt::Debug for PlatformInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlatformInfo({:#x})", self.0)
    }
}

/// The key that signed a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningKey {
    /// The chip's own key.
    Vcek,
    /// The key that the cloud provider loaded.
    Vlek,
    /// No key: the report is not signed.
    None,
    /// A value that the specification reserves.
    Reserved(u8),
}

impl SigningKey {
    /// Returns the value of the three bits SIGNING_KEY.
    #[must_use]
    pub const fn to_bits(self) -> u8 {
        match self {
            Self::Vcek => 0,
            Self::Vlek => 1,
            Self::None => 7,
            Self::Reserved(bits) => bits & 7,
        }
    }
}

/// Which keys took part in a report (SNP ABI, "ATTESTATION_REPORT", offset 48h).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyInfo(pub u32);

impl KeyInfo {
    /// Returns the field with these parts.
    #[must_use]
    pub fn new(author_key_enabled: bool, mask_chip_key: bool, signing_key: SigningKey) -> Self {
        Self(u32::from(author_key_enabled) | u32::from(mask_chip_key) << 1 | u32::from(signing_key.to_bits()) << 2)
    }

    /// Says whether AUTHOR_KEY_DIGEST holds the digest of an author key.
    #[must_use]
    pub const fn author_key_enabled(self) -> bool {
        self.0 & 1 != 0
    }

    /// Says whether the host masked the chip key, in which case the signature is all zero.
    #[must_use]
    pub const fn mask_chip_key(self) -> bool {
        self.0 & 2 != 0
    }

    /// Returns the key that signed the report.
    #[must_use]
    pub const fn signing_key(self) -> SigningKey {
        let [low, ..] = self.0.to_le_bytes();
        match low >> 2 & 7 {
            0 => SigningKey::Vcek,
            1 => SigningKey::Vlek,
            7 => SigningKey::None,
            bits => SigningKey::Reserved(bits),
        }
    }
}

impl fmt::Debug for KeyInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyInfo({:#x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_info_takes_apart_what_it_put_together() {
        for signing_key in [SigningKey::Vcek, SigningKey::Vlek, SigningKey::None, SigningKey::Reserved(3)] {
            for (author, mask) in [(false, false), (true, false), (false, true), (true, true)] {
                let info = KeyInfo::new(author, mask, signing_key);
                assert_eq!(
                    (info.author_key_enabled(), info.mask_chip_key(), info.signing_key()),
                    (author, mask, signing_key)
                );
            }
        }
    }

    #[test]
    fn bit_17_must_be_one_and_the_high_bits_zero() {
        assert!(GuestPolicy(0x3001f).is_well_formed());
        assert_eq!(GuestPolicy(0x3001f).abi(), (0, 31));
        assert!(!GuestPolicy(0x1001f).is_well_formed());
        assert!(!GuestPolicy(0x3001f | 1 << 26).is_well_formed());
    }

    #[test]
    fn debug_is_bit_19() {
        assert!(GuestPolicy(0xb0000).debug());
        assert!(!GuestPolicy(0x30000).debug());
    }
}
