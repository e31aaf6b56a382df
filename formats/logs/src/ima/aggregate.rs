// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `boot_aggregate`, the first entry of every list: one digest over the registers of the boot.

use crate::{Digest, Error, HashId, Hashes, PcrBank, PcrIndex};

/// The registers that `boot_aggregate` covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateRange {
    /// PCR 0 to 7: SHA-1, and every algorithm on kernels before 5.8.
    Pcr0To7,
    /// PCR 0 to 9: every algorithm but SHA-1 since Linux 5.8 ("ima: extend boot_aggregate with kernel measurements").
    Pcr0To9,
}

impl AggregateRange {
    /// Returns the range that a kernel since 5.8 uses for an algorithm.
    #[must_use]
    pub fn of(algorithm: HashId) -> Self {
        if algorithm == HashId::SHA1 { AggregateRange::Pcr0To7 } else { AggregateRange::Pcr0To9 }
    }

    /// Returns the registers in order.
    pub fn registers(self) -> impl Iterator<Item = PcrIndex> {
        let last = match self {
            AggregateRange::Pcr0To7 => 7,
            AggregateRange::Pcr0To9 => 9,
        };
        PcrIndex::all().filter(move |pcr| pcr.value() <= last)
    }
}

/// Computes `boot_aggregate` from one bank: the hash of the registers, one after the other.
pub fn boot_aggregate<H: Hashes>(bank: &PcrBank, range: AggregateRange, hashes: &H) -> Result<Digest, Error> {
    let mut values = [[].as_slice(); 10];
    let mut count = 0_usize;
    for (slot, pcr) in values.iter_mut().zip(range.registers()) {
        *slot = bank.value(pcr).as_bytes();
        count = count.saturating_add(1);
    }

    let algorithm = bank.algorithm();
    hashes.hash(algorithm, values.get(..count).unwrap_or(&values)).ok_or(Error::UnsupportedHash { algorithm })
}
