// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Remainders of long secret numbers modulo short public ones, in constant time: only the modulus is ever a divisor.

use super::words::split;
use core::num::NonZero;

/// A modulus of at most 32 bits with its scaled inverse.
#[derive(Clone, Copy)]
pub(super) struct SmallModulus {
    value: u64,
    /// (2^64 - 1) / value.
    inverse: u64,
}

impl SmallModulus {
    /// Prepares a modulus; `None` for zero.
    pub(super) fn new(value: u32) -> Option<Self> {
        let divisor = NonZero::new(u64::from(value))?;
        Some(Self { value: divisor.get(), inverse: u64::MAX / divisor })
    }

    /// Returns the modulus itself.
    pub(super) const fn value(self) -> u64 {
        self.value
    }

    /// Reduces one word.
    #[inline(always)]
    pub(super) fn reduce(self, word: u64) -> u64 {
        // The inverse is at most one too small, and so is the quotient.
        let (_, quotient) = split(u128::from(word).wrapping_mul(u128::from(self.inverse)));
        let remainder = word.wrapping_sub(quotient.wrapping_mul(self.value));
        let (lowered, borrow) = remainder.overflowing_sub(self.value);
        lowered.wrapping_add(self.value & 0u64.wrapping_sub(u64::from(borrow)))
    }

    /// Reduces a long number.
    pub(super) fn residue(self, number: &[u64]) -> u64 {
        let [residue] = residues([self], number);
        residue
    }
}

/// Reduces a long number modulo several moduli at once, which keeps the multiplier busy.
#[inline(always)]
pub(super) fn residues<const N: usize>(moduli: [SmallModulus; N], number: &[u64]) -> [u64; N] {
    let mut remainders = [0; N];
    for word in number.iter().rev() {
        for half in [word >> 32, word & 0xffff_ffff] {
            for (remainder, modulus) in remainders.iter_mut().zip(moduli) {
                *remainder = modulus.reduce((*remainder << 32) | half);
            }
        }
    }
    remainders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residues_agree_with_division() {
        let number = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];
        let wide = (u128::from(number[1]) << 64) | u128::from(number[0]);
        for value in [1, 2, 3, 5, 65_521, 65_537, 0x7fff_ffff, 0x8000_0001, u32::MAX] {
            let modulus = SmallModulus::new(value).unwrap();
            assert_eq!(u128::from(modulus.residue(&number)), wide % u128::from(value), "{value}");
            assert_eq!(modulus.reduce(u64::MAX), u64::MAX % u64::from(value), "{value}");
        }
    }

    #[test]
    fn zero_is_no_modulus() {
        assert!(SmallModulus::new(0).is_none());
    }
}
