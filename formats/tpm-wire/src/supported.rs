// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TPM supports: a value that decides which interface-type values unmarshal.
use crate::{EccCurve, HashAlg, TpmAlgId, TpmaMlParameterSet};

/// The algorithms, curves, key sizes and handle ranges of one TPM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supported {
    /// The algorithms.
    pub algorithms: AlgSet,
    /// The elliptic curves.
    pub curves: CurveSet,
    /// The key sizes of AES.
    pub aes_key_bits: KeyBits,
    /// The key sizes of SM4.
    pub sm4_key_bits: KeyBits,
    /// The key sizes of Camellia.
    pub camellia_key_bits: KeyBits,
    /// The key sizes of RSA.
    pub rsa_key_bits: KeyBits,
    /// The parameter sets of ML-KEM and ML-DSA.
    pub ml_parameter_sets: TpmaMlParameterSet,
    /// How many transient handles exist (`TRANSIENT_LAST` is the last of them).
    pub transient_handles: u32,
    /// How many session handles of each kind exist (`HMAC_SESSION_LAST`, `POLICY_SESSION_LAST`).
    pub session_handles: u32,
    /// The greatest size of an NV index (`MAX_NV_INDEX_SIZE`).
    pub nv_index_size: u16,
}

impl Supported {
    /// Everything that this crate knows.
    pub const ALL: Self = Self {
        algorithms: AlgSet::ALL,
        curves: CurveSet::ALL,
        aes_key_bits: KeyBits::of(&[128, 192, 256]),
        sm4_key_bits: KeyBits::of(&[128]),
        camellia_key_bits: KeyBits::of(&[128, 192, 256]),
        rsa_key_bits: KeyBits::of(&[1024, 2048, 3072, 4096]),
        ml_parameter_sets: TpmaMlParameterSet::ALL,
        transient_handles: 0x0100_0000,
        session_handles: 0x0100_0000,
        nv_index_size: u16::MAX,
    };

    /// Returns how many hash algorithms are supported (`HASH_COUNT`).
    pub fn hash_count(&self) -> usize {
        HashAlg::ALL.iter().filter(|hash| self.algorithms.contains(hash.id())).count()
    }
}

/// A set of algorithm identifiers below 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgSet {
    low: u128,
    high: u128,
}

impl AlgSet {
    /// The set without members.
    pub const EMPTY: Self = Self { low: 0, high: 0 };
    /// The set of all identifiers.
    pub const ALL: Self = Self { low: u128::MAX, high: u128::MAX };

    /// Makes a set of the listed algorithms.
    pub const fn of(mut members: &[TpmAlgId]) -> Self {
        let mut set = Self::EMPTY;
        while let Some((first, rest)) = members.split_first() {
            set = set.with(*first);
            members = rest;
        }
        set
    }

    /// Returns the set with `id` added; identifiers of 256 and above cannot be members.
    pub const fn with(self, id: TpmAlgId) -> Self {
        let (low, high) = Self::bits(id);
        Self { low: self.low | low, high: self.high | high }
    }

    /// Returns the set without `id`.
    pub const fn without(self, id: TpmAlgId) -> Self {
        let (low, high) = Self::bits(id);
        Self { low: self.low & !low, high: self.high & !high }
    }

    /// Returns whether `id` is a member.
    pub const fn contains(self, id: TpmAlgId) -> bool {
        let (low, high) = Self::bits(id);
        self.low & low != 0 || self.high & high != 0
    }

    const fn bits(id: TpmAlgId) -> (u128, u128) {
        match id.0 {
            0..128 => (1 << (id.0 & 127), 0),
            128..256 => (0, 1 << (id.0 & 127)),
            _ => (0, 0),
        }
    }
}

/// A set of elliptic curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurveSet(u64);

impl CurveSet {
    /// The set without members.
    pub const EMPTY: Self = Self(0);
    /// The set of all curves.
    pub const ALL: Self = Self::of(EccCurve::ALL);

    /// Makes a set of the listed curves.
    pub const fn of(mut members: &[EccCurve]) -> Self {
        let mut set = Self::EMPTY;
        while let Some((first, rest)) = members.split_first() {
            set = Self(set.0 | Self::bit(*first));
            members = rest;
        }
        set
    }

    /// Takes `curve` out of the set.
    #[must_use]
    pub const fn without(self, curve: EccCurve) -> Self {
        Self(self.0 & !Self::bit(curve))
    }

    /// Returns whether `curve` is a member.
    pub const fn contains(self, curve: EccCurve) -> bool {
        self.0 & Self::bit(curve) != 0
    }

    const fn bit(curve: EccCurve) -> u64 {
        1 << (curve.id() & 63)
    }
}

/// A set of key sizes that are multiples of 64 bits, up to 4,096.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBits(u128);

impl KeyBits {
    /// The set without members.
    pub const EMPTY: Self = Self(0);

    /// Makes a set of the listed sizes; sizes that are no multiple of 64 or above 4,096 are left out.
    pub const fn of(mut sizes: &[u16]) -> Self {
        let mut set = Self::EMPTY;
        while let Some((first, rest)) = sizes.split_first() {
            set = Self(set.0 | Self::bit(*first));
            sizes = rest;
        }
        set
    }

    /// Returns whether `size` is a member.
    pub const fn contains(self, size: u16) -> bool {
        self.0 & Self::bit(size) != 0
    }

    /// Returns the greatest member, or 0.
    pub const fn max(self) -> u16 {
        match self.0.checked_ilog2() {
            #[expect(clippy::cast_possible_truncation, reason = "masked to seven bits, then shifted by six")]
            Some(position) => ((position & 0x7F) << 6) as u16,
            None => 0,
        }
    }

    const fn bit(size: u16) -> u128 {
        if size & 63 == 0 && size <= 4096 { 1 << ((size >> 6) & 127) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let set = AlgSet::of(&[TpmAlgId::SHA256, TpmAlgId::MLDSA]);
        assert!(set.contains(TpmAlgId::SHA256) && set.contains(TpmAlgId::MLDSA));
        assert!(!set.contains(TpmAlgId::SHA1) && !set.contains(TpmAlgId(0x100)) && !set.contains(TpmAlgId(0x10B)));
        assert!(!set.without(TpmAlgId::SHA256).contains(TpmAlgId::SHA256));
    }

    #[test]
    fn no_set_holds_an_identifier_of_256_or_above() {
        assert!(!AlgSet::ALL.contains(TpmAlgId(0x100)) && !AlgSet::ALL.contains(TpmAlgId(0xFFFF)));
    }

    #[test]
    fn curves_do_not_share_bits() {
        for curve in EccCurve::ALL {
            let set = CurveSet::of(&[*curve]);
            assert_eq!(EccCurve::ALL.iter().filter(|other| set.contains(**other)).count(), 1);
        }
    }

    #[test]
    fn key_sizes_are_exact() {
        let sizes = KeyBits::of(&[1024, 2048]);
        assert!(sizes.contains(1024) && sizes.contains(2048));
        assert!(!sizes.contains(1025) && !sizes.contains(0) && !sizes.contains(4096));
        assert_eq!(sizes.max(), 2048);
        assert_eq!(KeyBits::EMPTY.max(), 0);
    }
}
