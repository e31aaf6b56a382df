// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PCR selections (Part 2, "PCR Structures").
use crate::{HashAlg, List, Marshal, Overflow, PcrIndex, Rc, Reader, Supported, Unmarshal, Writer, structure};

/// A set of PCRs (`TPMS_PCR_SELECT`), always of three octets as a PC Client TPM has 24 PCRs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PcrSelect([u8; Self::SIZE]);

impl PcrSelect {
    /// The size of the bit map (`PCR_SELECT_MIN` and `PCR_SELECT_MAX`).
    pub const SIZE: usize = PcrIndex::COUNT / 8;
    /// No PCR.
    pub const NONE: Self = Self([0; Self::SIZE]);
    /// Each PCR.
    pub const ALL: Self = Self([0xFF; Self::SIZE]);

    /// Makes a set of the listed PCRs.
    pub fn of(pcrs: &[PcrIndex]) -> Self {
        pcrs.iter().fold(Self::NONE, |set, pcr| set.with(*pcr))
    }

    /// Takes a bit map as it stands on the wire: PCR 0 is the lowest bit of the first octet.
    pub const fn from_bits(bits: [u8; Self::SIZE]) -> Self {
        Self(bits)
    }

    /// Returns the bit map.
    pub const fn bits(self) -> [u8; Self::SIZE] {
        self.0
    }

    /// Returns whether `pcr` is a member.
    pub const fn contains(self, pcr: PcrIndex) -> bool {
        self.number() >> pcr.number() & 1 != 0
    }

    /// Returns whether there are no members.
    pub const fn is_empty(self) -> bool {
        self.number() == 0
    }

    /// Returns the set with `pcr` added.
    pub const fn with(self, pcr: PcrIndex) -> Self {
        Self::from_number(self.number() | 1 << pcr.number())
    }

    /// Returns the set without `pcr`.
    pub const fn without(self, pcr: PcrIndex) -> Self {
        Self::from_number(self.number() & !(1 << pcr.number()))
    }

    /// Returns the members of both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self::from_number(self.number() & other.number())
    }

    /// Returns the members in ascending order.
    pub fn iter(self) -> impl Iterator<Item = PcrIndex> {
        let mut rest = self.number();
        core::iter::from_fn(move || {
            let lowest = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            PcrIndex::ALL.get(usize::try_from(lowest).ok()?).copied()
        })
    }

    const fn number(self) -> u32 {
        let [low, middle, high] = self.0;
        u32::from_le_bytes([low, middle, high, 0])
    }

    const fn from_number(number: u32) -> Self {
        let [low, middle, high, _] = number.to_le_bytes();
        Self([low, middle, high])
    }
}

/// "sizeofSelect {PCR_SELECT_MIN:}" and "{:PCR_SELECT_MAX}" with "#TPM_RC_VALUE"
impl<'a> Unmarshal<'a> for PcrSelect {
    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        if usize::from(reader.read::<u8>()?) != Self::SIZE {
            return Err(Rc::VALUE);
        }
        reader.array().map(Self)
    }
}

impl Marshal for PcrSelect {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&3u8)?;
        writer.bytes(&self.0)
    }
}

/// PCRs of one bank (`TPMS_PCR_SELECTION`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TpmsPcrSelection {
    /// The bank.
    pub hash: HashAlg,
    /// The PCRs.
    pub select: PcrSelect,
}

impl<'a> Unmarshal<'a> for TpmsPcrSelection {
    fn list_limit(supported: &Supported) -> usize {
        supported.hash_count()
    }

    fn unmarshal(reader: &mut Reader<'a>) -> Result<Self, Rc> {
        Ok(Self { hash: reader.read()?, select: reader.read()? })
    }
}

impl Marshal for TpmsPcrSelection {
    fn marshal(&self, writer: &mut Writer<'_>) -> Result<(), Overflow> {
        writer.write(&self.hash)?;
        writer.write(&self.select)
    }
}

/// PCRs of several banks (`TPML_PCR_SELECTION`).
pub type TpmlPcrSelection = List<TpmsPcrSelection, { HashAlg::ALL.len() }>;

structure! {
    /// The PCRs that have a property (`TPMS_TAGGED_PCR_SELECT`).
    #[derive(Copy, Default)]
    pub struct TpmsTaggedPcrSelect {
        /// The property (`TPM_PT_PCR`).
        pub tag: crate::TpmPt,
        /// The PCRs.
        pub select: PcrSelect,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::from_bytes;

    #[test]
    fn the_size_of_a_selection_is_three() {
        assert_eq!(from_bytes::<PcrSelect>(&[2, 0, 0], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<PcrSelect>(&[4, 0, 0, 0, 0], &Supported::ALL), Err(Rc::VALUE));
        assert_eq!(from_bytes::<PcrSelect>(&[3, 0, 0], &Supported::ALL), Err(Rc::INSUFFICIENT));
    }

    #[test]
    fn an_unknown_bank_is_a_hash_error() {
        assert_eq!(from_bytes::<TpmsPcrSelection>(&[0, 0x10, 3, 0, 0, 0], &Supported::ALL), Err(Rc::HASH));
    }

    #[test]
    fn the_lowest_bit_of_the_first_octet_is_pcr_0() {
        let set = PcrSelect::from_bits([0x01, 0x02, 0x80]);
        let members: [PcrIndex; 3] = [PcrIndex::Pcr0, PcrIndex::Pcr9, PcrIndex::Pcr23];
        assert!(set.iter().eq(members));
        assert_eq!(PcrSelect::of(&members), set);
        assert!(!set.without(PcrIndex::Pcr9).contains(PcrIndex::Pcr9));
        assert_eq!(set.intersection(PcrSelect::NONE.with(PcrIndex::Pcr0)).bits(), [1, 0, 0]);
    }
}
