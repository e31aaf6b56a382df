// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Comparison that takes the same time wherever the difference is.

use subtle::ConstantTimeEq;

/// Compares two byte strings without telling by its run time where they differ; their lengths are public.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_are_equal_and_a_flipped_bit_or_another_length_is_not() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"same", b"same"));
        assert!(!constant_time_eq(b"same", b"samd"));
        assert!(!constant_time_eq(b"same", b"sam"));
    }
}
