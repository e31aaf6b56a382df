// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Platform configuration registers as arithmetic: a bank that starts, and is extended.

use core::fmt;

use crate::{Digest, Error, HashId, Hashes};

/// The number of one of the 24 registers of a PC Client TPM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PcrIndex(u8);

impl PcrIndex {
    /// The number of registers.
    pub const COUNT: usize = 24;

    /// Checks a register's number.
    #[must_use]
    pub const fn new(index: u32) -> Option<Self> {
        // 24 registers: the bytes of a small number are its first.
        match index.to_le_bytes() {
            [low @ 0..24, 0, 0, 0] => Some(PcrIndex(low)),
            _ => None,
        }
    }

    /// Returns the number.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Returns all registers in order.
    pub fn all() -> impl Iterator<Item = PcrIndex> {
        (0..24).map(PcrIndex)
    }
}

impl fmt::Display for PcrIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A set of registers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct PcrSet(u32);

impl PcrSet {
    /// No register.
    pub const EMPTY: PcrSet = PcrSet(0);

    /// Makes a set from a mask whose bit n stands for register n; `None` if a bit has no register.
    #[must_use]
    pub const fn from_mask(mask: u32) -> Option<Self> {
        if mask >> PcrIndex::COUNT == 0 { Some(PcrSet(mask)) } else { None }
    }

    /// Returns the mask whose bit n stands for register n.
    #[must_use]
    pub const fn mask(self) -> u32 {
        self.0
    }

    /// Tells whether a register is in the set.
    #[must_use]
    pub const fn contains(self, pcr: PcrIndex) -> bool {
        self.0 & (1 << pcr.0) != 0
    }

    /// Returns the set with one more register.
    #[must_use]
    pub const fn with(self, pcr: PcrIndex) -> Self {
        PcrSet(self.0 | 1 << pcr.0)
    }

    /// Returns what is in either set.
    #[must_use]
    pub const fn union(self, other: PcrSet) -> Self {
        PcrSet(self.0 | other.0)
    }

    /// Returns what is in both sets.
    #[must_use]
    pub const fn intersection(self, other: PcrSet) -> Self {
        PcrSet(self.0 & other.0)
    }

    /// Returns what is in this set and not in the other.
    #[must_use]
    pub const fn without(self, other: PcrSet) -> Self {
        PcrSet(self.0 & !other.0)
    }

    /// Returns the number of registers in the set.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Tells whether the set has no register.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the registers in ascending order.
    pub fn iter(self) -> impl Iterator<Item = PcrIndex> {
        PcrIndex::all().filter(move |pcr| self.contains(*pcr))
    }
}

impl FromIterator<PcrIndex> for PcrSet {
    fn from_iter<T: IntoIterator<Item = PcrIndex>>(registers: T) -> Self {
        registers.into_iter().fold(PcrSet::EMPTY, PcrSet::with)
    }
}

impl fmt::Debug for PcrSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(PcrIndex::value)).finish()
    }
}

impl fmt::Display for PcrSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(n, pcr)| write!(f, "{}{pcr}", if n == 0 { "" } else { "," }))
    }
}

/// The 24 registers of one bank, as they would be after a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrBank {
    algorithm: HashId,
    size: usize,
    values: [Digest; PcrIndex::COUNT],
    extended: PcrSet,
}

impl PcrBank {
    /// Makes the bank as a PC Client TPM has it after `TPM2_Startup(CLEAR)` from locality 0.
    pub fn at_startup(algorithm: HashId) -> Result<Self, Error> {
        let unsupported = Error::UnsupportedHash { algorithm };
        let Some(size) = algorithm.digest_size() else { return Err(unsupported) };
        let (Some(zeros), Some(ones)) = (Digest::filled(0, size), Digest::filled(0xFF, size)) else {
            return Err(unsupported);
        };

        // PC Client PTP, "PCR Initial and Reset Values": the D-RTM registers 17 to 22 start as all ones.
        let values = core::array::from_fn(|pcr| if (17..=22).contains(&pcr) { ones } else { zeros });
        Ok(PcrBank { algorithm, size, values, extended: PcrSet::EMPTY })
    }

    /// Sets PCR 0 to the start value that the locality of `TPM2_Startup` or an H-CRTM gives it.
    pub(crate) fn start_pcr0(&mut self, locality: u8) {
        let mut start = [0; Digest::MAX];
        // PFP, "Startup Locality Event": the locality is in the least significant octet of PCR 0.
        if let Some(last) = self.size.checked_sub(1).and_then(|last| start.get_mut(last)) {
            *last = locality;
        }
        if let (Some(value), Some(start)) = (self.values.first_mut(), start.get(..self.size).and_then(Digest::new)) {
            *value = start;
        }
    }

    /// Gives a register a value that was proven before; `None` if it is no digest of this bank.
    #[must_use]
    pub fn with_value(mut self, pcr: PcrIndex, value: Digest) -> Option<Self> {
        if value.as_bytes().len() != self.size {
            return None;
        }
        *self.values.get_mut(usize::from(pcr.0))? = value;
        Some(self)
    }

    /// Returns the bank's algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> HashId {
        self.algorithm
    }

    /// Returns the size of the bank's digests.
    #[must_use]
    pub const fn digest_size(&self) -> usize {
        self.size
    }

    /// Returns a register's value.
    #[must_use]
    pub fn value(&self, pcr: PcrIndex) -> &Digest {
        // An index is below 24 by construction; the first register stands in for the impossible case.
        let [first, ..] = &self.values;
        self.values.get(usize::from(pcr.0)).unwrap_or(first)
    }

    /// Returns the registers that a record has extended.
    #[must_use]
    pub const fn extended(&self) -> PcrSet {
        self.extended
    }

    /// Extends a register: `new = H(old ‖ digest)` (Part 1, "Extend of a PCR").
    pub fn extend<H: Hashes>(&mut self, pcr: PcrIndex, digest: &[u8], hashes: &H) -> Result<(), Error> {
        let unsupported = Error::UnsupportedHash { algorithm: self.algorithm };
        let extended = hashes.hash(self.algorithm, &[self.value(pcr).as_bytes(), digest]);
        let Some(extended) = extended.filter(|new| new.as_bytes().len() == self.size) else {
            return Err(unsupported);
        };

        if let Some(value) = self.values.get_mut(usize::from(pcr.0)) {
            *value = extended;
        }
        self.extended = self.extended.with(pcr);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::RealHashes;
    use std::string::ToString;

    fn pcr(index: u32) -> PcrIndex {
        PcrIndex::new(index).unwrap()
    }

    #[test]
    fn register_24_does_not_exist() {
        assert_eq!(PcrIndex::new(23).map(PcrIndex::value), Some(23));
        assert_eq!(PcrIndex::new(24), None);
        assert_eq!(PcrIndex::new(256), None);
        assert_eq!(PcrSet::from_mask(1 << 24), None);
    }

    #[test]
    fn a_set_lists_its_registers_in_order() {
        let set: PcrSet = [pcr(7), pcr(0), pcr(10)].into_iter().collect();
        assert_eq!(set.to_string(), "0,7,10");
        assert_eq!(set.mask(), 0x481);
        assert_eq!(set.without(PcrSet::from_mask(1).unwrap()).to_string(), "7,10");
    }

    #[test]
    fn dynamic_registers_start_as_ones_and_the_others_as_zeros() {
        let bank = PcrBank::at_startup(HashId::SHA1).unwrap();
        assert_eq!(bank.value(pcr(16)).as_bytes(), [0; 20]);
        assert_eq!(bank.value(pcr(17)).as_bytes(), [0xFF; 20]);
        assert_eq!(bank.value(pcr(22)).as_bytes(), [0xFF; 20]);
        assert_eq!(bank.value(pcr(23)).as_bytes(), [0; 20]);
    }

    #[test]
    fn locality_three_starts_pcr_0_with_three_in_its_last_byte() {
        let mut bank = PcrBank::at_startup(HashId::SHA256).unwrap();
        bank.start_pcr0(3);
        assert_eq!(bank.value(pcr(0)).as_bytes(), [[0; 31].as_slice(), &[3]].concat());
        assert_eq!(bank.value(pcr(1)).as_bytes(), [0; 32]);
    }

    #[test]
    fn a_separator_extends_as_the_recorded_registers_show() {
        // PCR 2 of every recorded boot without option ROMs: one separator of four zero bytes.
        let mut bank = PcrBank::at_startup(HashId::SHA1).unwrap();
        let separator = RealHashes.hash(HashId::SHA1, &[&[0; 4]]).unwrap();
        bank.extend(pcr(2), separator.as_bytes(), &RealHashes).unwrap();
        assert_eq!(bank.value(pcr(2)).to_string(), "b2a83b0ebf2f8374299a5b2bdfc31ea955ad7236");
        assert_eq!(bank.extended().to_string(), "2");
    }

    #[test]
    fn a_bank_without_hash_function_is_an_error_and_changes_nothing() {
        let mut bank = PcrBank::at_startup(HashId::SM3_256).unwrap();
        let before = bank.clone();
        assert_eq!(
            bank.extend(pcr(0), &[0; 32], &RealHashes),
            Err(Error::UnsupportedHash { algorithm: HashId::SM3_256 })
        );
        assert_eq!(bank, before);
    }
}
