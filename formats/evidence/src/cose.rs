// SPDX-License-Identifier: Apache-2.0 OR MIT
//! COSE_Sign1 (RFC 9052, "Signing with One Signer"), with or without its tag.

use alloc::vec::Vec;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::Error;
use crate::cbor::{self, Key, Map, malformed};

const WHAT: &str = "COSE_Sign1";
/// The tag of a COSE_Sign1 structure.
const TAG: u64 = 18;

/// The header parameter "alg".
const ALGORITHM: Key<'_> = Key::Number(1);
/// The header parameter "crit".
const CRITICAL: Key<'_> = Key::Number(2);
/// The header parameter "x5chain" (RFC 9360).
const X5CHAIN: Key<'_> = Key::Number(33);

/// A signed message, not verified.
#[derive(Clone, Debug)]
pub struct Sign1<'a> {
    protected: &'a [u8],
    protected_map: Map<'a>,
    unprotected: Map<'a>,
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Decodes a message that fills all of `bytes`; a detached payload is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(bytes);
        if decoder.datatype().map_err(malformed(WHAT))? == Type::Tag {
            let tag = decoder.tag().map_err(malformed(WHAT))?.as_u64();
            if tag != TAG {
                return Err(Error::Unknown { what: "tag of COSE_Sign1", value: tag });
            }
        }
        match decoder.array().map_err(malformed(WHAT))? {
            Some(4) => {}
            other => return Err(Error::Unknown { what: "number of members of COSE_Sign1", value: other.unwrap_or(0) }),
        }
        let protected = decoder.bytes().map_err(malformed("protected header"))?;
        // RFC 9052, 3: "Senders SHOULD encode a zero-length map as a zero-length string".
        let protected_map =
            if protected.is_empty() { Map::default() } else { Map::parse("protected header", protected)? };
        let unprotected = Map::read("unprotected header", &mut decoder)?;
        let payload = decoder.bytes().map_err(malformed("payload"))?;
        let signature = decoder.bytes().map_err(malformed("signature"))?;
        cbor::finish(WHAT, &decoder)?;
        // RFC 9052, 3.1, "crit": an application that does not understand a parameter named there must refuse the message.
        if protected_map.raw(CRITICAL).is_some() || unprotected.raw(CRITICAL).is_some() {
            return Err(Error::Unknown { what: "critical header parameter", value: 2 });
        }
        Ok(Self { protected, protected_map, unprotected, payload, signature })
    }

    /// Returns the algorithm, which counts only where it is signed.
    pub fn algorithm(&self) -> Result<i64, Error> {
        self.protected_map.required("signature algorithm", self.protected_map.number(ALGORITHM))
    }

    /// Returns the protected header.
    #[must_use]
    pub const fn protected(&self) -> &Map<'a> {
        &self.protected_map
    }

    /// Returns the certificates of "x5chain", the signer's first; it may stand in either header.
    pub fn x5chain(&self) -> Result<Vec<&'a [u8]>, Error> {
        let Some(raw) = self.protected_map.raw(X5CHAIN).or_else(|| self.unprotected.raw(X5CHAIN)) else {
            return Ok(Vec::new());
        };
        // RFC 9360, 2: "If a single certificate is conveyed, it is placed in a CBOR byte string."
        if Decoder::new(raw).datatype().map_err(malformed("x5chain"))? == Type::Bytes {
            return Ok(alloc::vec![cbor::byte_string("x5chain", raw)?]);
        }
        cbor::array("x5chain", raw)?.into_iter().map(|member| cbor::byte_string("x5chain", member)).collect()
    }

    /// Returns the payload.
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Returns the signature.
    #[must_use]
    pub const fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// Encodes the `Sig_structure` that is signed, with no external data.
    #[must_use]
    pub fn signed(&self) -> Vec<u8> {
        let mut signed = Vec::with_capacity(self.protected.len().saturating_add(self.payload.len()).saturating_add(32));
        signed.extend_from_slice(b"\x84\x6aSignature1");
        for string in [self.protected, &[], self.payload] {
            byte_string_head(&mut signed, string.len());
            signed.extend_from_slice(string);
        }
        signed
    }
}

/// RFC 8949, 3: the shortest head of a byte string.
fn byte_string_head(out: &mut Vec<u8>, length: usize) {
    let bytes = length.to_be_bytes();
    match (u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
        (Ok(short), _, _) if short < 24 => out.push(0x40 | short),
        (Ok(short), _, _) => out.extend_from_slice(&[0x58, short]),
        (_, Ok(long), _) => {
            out.push(0x59);
            out.extend_from_slice(&long.to_be_bytes());
        }
        (_, _, Ok(longer)) => {
            out.push(0x5A);
            out.extend_from_slice(&longer.to_be_bytes());
        }
        _ => {
            out.push(0x5B);
            out.extend_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `18([h'a10126', {}, h'07', h'0102'])`
    const MESSAGE: &[u8] = &[0xD2, 0x84, 0x43, 0xA1, 0x01, 0x26, 0xA0, 0x41, 0x07, 0x42, 1, 2];

    #[test]
    fn the_signed_structure_is_that_of_rfc_9052() {
        let message = Sign1::parse(MESSAGE).unwrap();
        assert_eq!(message.algorithm(), Ok(-7));
        assert_eq!(message.signed(), b"\x84\x6aSignature1\x43\xa1\x01\x26\x40\x41\x07");
        assert_eq!((message.payload(), message.signature()), ([7].as_slice(), [1, 2].as_slice()));
    }

    #[test]
    fn a_message_without_tag_is_the_same() {
        assert_eq!(Sign1::parse(&MESSAGE[1..]).unwrap().signed(), Sign1::parse(MESSAGE).unwrap().signed());
    }

    #[test]
    fn another_tag_and_a_trailing_byte_are_refused() {
        assert!(matches!(Sign1::parse(&[&[0xD1], &MESSAGE[1..]].concat()), Err(Error::Unknown { value: 17, .. })));
        assert!(matches!(Sign1::parse(&[MESSAGE, &[0]].concat()), Err(Error::Trailing { count: 1, .. })));
    }

    #[test]
    fn an_algorithm_that_is_not_signed_does_not_count() {
        let message = [0x84, 0x40, 0xA1, 0x01, 0x26, 0x41, 0x07, 0x42, 1, 2];
        assert!(matches!(Sign1::parse(&message).unwrap().algorithm(), Err(Error::Missing { .. })));
    }

    #[test]
    fn a_critical_parameter_is_refused() {
        let message = [0x84, 0x46, 0xA2, 0x01, 0x26, 0x02, 0x81, 0x05, 0xA0, 0x41, 0x07, 0x41, 1];
        assert!(matches!(Sign1::parse(&message), Err(Error::Unknown { .. })));
    }

    #[test]
    fn heads_are_the_shortest() {
        for (length, head) in
            [(23, [0x57].as_slice()), (24, &[0x58, 24]), (256, &[0x59, 1, 0]), (65536, &[0x5A, 0, 1, 0, 0])]
        {
            let mut out = Vec::new();
            byte_string_head(&mut out, length);
            assert_eq!(out, head, "{length}");
        }
    }
}
