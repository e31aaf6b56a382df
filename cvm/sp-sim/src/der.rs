// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A writer for the little DER that certificates and revocation lists need (X.690).

use alloc::vec::Vec;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
const INTEGER: u8 = 0x02;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// Encodes one value: tag, length, contents.
pub(crate) fn primitive(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(contents.len() + 6);
    out.push(tag);
    let length = contents.len().to_be_bytes();
    let leading = length.iter().take_while(|byte| **byte == 0).count();
    match (&length[leading..], contents.len()) {
        (_, short @ 0..0x80) => out.push(short as u8),
        (long, _) => {
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(contents);
    out
}

/// Encodes a value that contains others.
pub(crate) fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    primitive(tag, &parts.concat())
}

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    constructed(SEQUENCE, parts)
}

pub(crate) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    constructed(SET, parts)
}

/// Encodes an explicitly tagged, context specific value.
pub(crate) fn explicit(number: u8, value: Vec<u8>) -> Vec<u8> {
    constructed(0xa0 | number, &[value])
}

/// Encodes a non-negative number given in big-endian order.
pub(crate) fn unsigned(big_endian: &[u8]) -> Vec<u8> {
    let leading = big_endian.iter().take_while(|byte| **byte == 0).count();
    let mut contents = big_endian[leading..].to_vec();
    if contents.first().is_none_or(|first| *first >= 0x80) {
        contents.insert(0, 0);
    }
    primitive(INTEGER, &contents)
}

pub(crate) fn number(value: u32) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

pub(crate) fn null() -> Vec<u8> {
    primitive(NULL, &[])
}

/// Encodes an object identifier given as its arcs.
pub(crate) fn object_identifier(arcs: &[u32]) -> Vec<u8> {
    let mut contents = Vec::new();
    if let [first, second, rest @ ..] = arcs {
        for arc in core::iter::once(first * 40 + second).chain(rest.iter().copied()) {
            let groups = (32 - arc.leading_zeros()).div_ceil(7).max(1);
            for group in (0..groups).rev() {
                let more = if group > 0 { 0x80 } else { 0 };
                contents.push((arc >> (7 * group)) as u8 & 0x7f | more);
            }
        }
    }
    primitive(OBJECT_IDENTIFIER, &contents)
}

/// Encodes a bit string of whole octets.
pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    primitive(BIT_STRING, &[&[0], octets].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        assert_eq!(primitive(4, &[1; 0x7f])[..2], [4, 0x7f]);
        assert_eq!(primitive(4, &[1; 0x80])[..3], [4, 0x81, 0x80]);
        assert_eq!(primitive(4, &vec![1; 0x1234])[..4], [4, 0x82, 0x12, 0x34]);
    }

    #[test]
    fn numbers_never_look_negative() {
        assert_eq!(number(0), [2, 1, 0]);
        assert_eq!(number(0x7f), [2, 1, 0x7f]);
        assert_eq!(number(0xd9), [2, 2, 0, 0xd9]);
        assert_eq!(number(0x2_0001), [2, 3, 2, 0, 1]);
    }

    #[test]
    fn arcs_take_seven_bits_a_byte() {
        assert_eq!(object_identifier(&[1, 3, 6, 1, 4, 1, 3704, 1, 4]), [6, 9, 0x2b, 6, 1, 4, 1, 0x9c, 0x78, 1, 4]);
        assert_eq!(
            object_identifier(&[1, 2, 840, 113_549, 1, 1, 10]),
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0xd, 1, 1, 10]
        );
    }
}
