// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ECDSA P-384 signatures and keys as the firmware lays them out (SNP ABI, "Digital Signatures": "ECDSA P-384 with SHA-384").

use core::fmt;

use evtpm_layout::U32;

/// The algorithm number of ECDSA P-384 with SHA-384.
pub const ECDSA_P384_SHA384: u32 = 1;
/// The curve number of P-384.
pub const CURVE_P384: u32 = 2;

evtpm_layout::layout! {
    /// An ECDSA signature: two little-endian numbers in 72 bytes each.
    #[derive(Copy, Debug)]
    pub struct EcdsaSignature, 0x200 {
        /// The number r, little-endian.
        0x000 r: [u8; 72],
        /// The number s, little-endian.
        0x048 s: [u8; 72],
        /// Zero in an honest signature; in a report these bytes are not covered by the signature itself.
        0x090 reserved: [u8; 368],
    }
}

impl EcdsaSignature {
    /// Lays out r and s, each 48 bytes big-endian.
    #[must_use]
    pub fn from_be(r: &[u8; 48], s: &[u8; 48]) -> Self {
        Self { r: widen(r), s: widen(s), reserved: [0; 368] }
    }

    /// Returns r as 48 big-endian bytes, or `None` if it does not fit into them.
    #[must_use]
    pub fn r_be(&self) -> Option<[u8; 48]> {
        narrow(&self.r)
    }

    /// Returns s as 48 big-endian bytes, or `None` if it does not fit into them.
    #[must_use]
    pub fn s_be(&self) -> Option<[u8; 48]> {
        narrow(&self.s)
    }

    /// Says whether r and s are both zero, as in the report of a platform that masks its chip key.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.r == [0; 72] && self.s == [0; 72]
    }

    /// Says whether the reserved bytes are zero.
    #[must_use]
    pub fn reserved_is_zero(&self) -> bool {
        self.reserved == [0; 368]
    }
}

evtpm_layout::layout! {
    /// An ECDSA public key: the curve and the point's coordinates, little-endian in 72 bytes each.
    pub struct EcdsaPublicKey, 0x404 {
        /// The curve, [`CURVE_P384`].
        0x000 curve: U32,
        /// The x coordinate, little-endian.
        0x004 x: [u8; 72],
        /// The y coordinate, little-endian.
        0x04c y: [u8; 72],
        /// Zero in an honest key; the key's digest covers these bytes.
        0x094 reserved: [u8; 880],
    }
}

impl EcdsaPublicKey {
    /// Lays out a P-384 point whose coordinates are 48 bytes big-endian.
    #[must_use]
    pub fn from_be(x: &[u8; 48], y: &[u8; 48]) -> Self {
        Self { curve: U32::new(CURVE_P384), x: widen(x), y: widen(y), reserved: [0; 880] }
    }

    /// Returns the coordinates as 48 big-endian bytes each, or `None` if the curve or a coordinate cannot be P-384's.
    #[must_use]
    pub fn to_be(&self) -> Option<([u8; 48], [u8; 48])> {
        if self.curve.get() != CURVE_P384 {
            return None;
        }
        Some((narrow(&self.x)?, narrow(&self.y)?))
    }
}

impl fmt::Debug for EcdsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcdsaPublicKey").field("curve", &self.curve).field("point", &self.to_be()).finish()
    }
}

fn widen(big_endian: &[u8; 48]) -> [u8; 72] {
    let mut little_endian = [0; 72];
    for (to, from) in little_endian.iter_mut().zip(big_endian.iter().rev()) {
        *to = *from;
    }
    little_endian
}

fn narrow(little_endian: &[u8; 72]) -> Option<[u8; 48]> {
    let (low, high) = little_endian.split_first_chunk::<48>()?;
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    let mut big_endian = *low;
    big_endian.reverse();
    Some(big_endian)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(first: u8) -> [u8; 48] {
        core::array::from_fn(|i| first.wrapping_add(i as u8))
    }

    #[test]
    fn numbers_come_back_big_endian() {
        let signature = EcdsaSignature::from_be(&number(1), &number(90));
        assert_eq!(signature.r[0], 48);
        assert_eq!((signature.r_be(), signature.s_be()), (Some(number(1)), Some(number(90))));
    }

    #[test]
    fn a_number_above_384_bits_has_no_p384_form() {
        for position in 48..72 {
            let mut signature = EcdsaSignature::from_be(&number(1), &number(90));
            signature.r[position] = 1;
            assert_eq!(signature.r_be(), None);
        }
    }

    #[test]
    fn a_key_on_another_curve_is_no_p384_key() {
        let mut key = EcdsaPublicKey::from_be(&number(3), &number(7));
        assert_eq!(key.to_be(), Some((number(3), number(7))));
        key.curve = U32::new(1);
        assert_eq!(key.to_be(), None);
    }
}
