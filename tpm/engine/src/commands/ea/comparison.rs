// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How `TPM2_PolicyNV` and `TPM2_PolicyCounterTimer` compare (Part 2, "TPM_EO").

use core::cmp::Ordering;
use evtpm_tpm_wire::TpmEo;

/// Tells whether A stands in the relation to B; both have the same size, the most significant octet first.
pub(super) fn holds(operation: TpmEo, a: &[u8], b: &[u8]) -> bool {
    match operation {
        TpmEo::Eq => a == b,
        TpmEo::Neq => a != b,
        TpmEo::SignedGt => signed(a, b) == Ordering::Greater,
        TpmEo::UnsignedGt => a > b,
        TpmEo::SignedLt => signed(a, b) == Ordering::Less,
        TpmEo::UnsignedLt => a < b,
        TpmEo::SignedGe => signed(a, b) != Ordering::Less,
        TpmEo::UnsignedGe => a >= b,
        TpmEo::SignedLe => signed(a, b) != Ordering::Greater,
        TpmEo::UnsignedLe => a <= b,
        // "All bits SET in B are SET in A."
        TpmEo::BitSet => a.iter().zip(b).all(|(a, b)| a & b == *b),
        // "All bits SET in B are CLEAR in A."
        TpmEo::BitClear => a.iter().zip(b).all(|(a, b)| a & b == 0),
    }
}

/// Signed operations take their operands in two's complement (Part 3, PolicyNV): of the same sign, they order as unsigned.
fn signed(a: &[u8], b: &[u8]) -> Ordering {
    match (is_negative(a), is_negative(b)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => a.cmp(b),
    }
}

fn is_negative(number: &[u8]) -> bool {
    number.first().is_some_and(|first| first & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_comparisons_agree_with_the_machines() {
        let numbers = [i16::MIN, -257, -256, -255, -2, -1, 0, 1, 2, 255, 256, i16::MAX];
        for (a, b) in numbers.iter().flat_map(|a| numbers.iter().map(move |b| (*a, *b))) {
            let holds = |operation| holds(operation, &a.to_be_bytes(), &b.to_be_bytes());
            assert_eq!(holds(TpmEo::SignedGt), a > b, "{a} > {b}");
            assert_eq!(holds(TpmEo::SignedLt), a < b, "{a} < {b}");
            assert_eq!(holds(TpmEo::SignedGe), a >= b, "{a} >= {b}");
            assert_eq!(holds(TpmEo::SignedLe), a <= b, "{a} <= {b}");
        }
    }

    #[test]
    fn unsigned_comparisons_agree_with_the_machines() {
        let numbers = [0u16, 1, 0x7FFF, 0x8000, 0xFFFF];
        for (a, b) in numbers.iter().flat_map(|a| numbers.iter().map(move |b| (*a, *b))) {
            let holds = |operation| holds(operation, &a.to_be_bytes(), &b.to_be_bytes());
            assert_eq!(holds(TpmEo::Eq), a == b, "{a} == {b}");
            assert_eq!(holds(TpmEo::Neq), a != b, "{a} != {b}");
            assert_eq!(holds(TpmEo::UnsignedGt), a > b, "{a} > {b}");
            assert_eq!(holds(TpmEo::UnsignedLt), a < b, "{a} < {b}");
            assert_eq!(holds(TpmEo::UnsignedGe), a >= b, "{a} >= {b}");
            assert_eq!(holds(TpmEo::UnsignedLe), a <= b, "{a} <= {b}");
        }
    }

    #[test]
    fn bit_operations_look_at_the_bits_of_b_alone() {
        let cases = [(0b1010, 0b1000, true, false), (0b1010, 0b0101, false, true), (0b1010, 0b1100, false, false)];
        for (a, b, set, clear) in cases {
            assert_eq!((holds(TpmEo::BitSet, &[a], &[b]), holds(TpmEo::BitClear, &[a], &[b])), (set, clear));
        }
    }
}
