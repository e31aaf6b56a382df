// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The signature in `security.ima` (Linux, "integrity.h", `struct signature_v2_hdr`).

use crate::bytes::Cursor;
use crate::{At, Error};

/// A signature over a file's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImaSignature<'a> {
    /// What is signed: version 2 signs the digest itself, version 3 a structure around it.
    pub version: u8,
    /// What the attribute is: 3 for IMA signatures, 5 for portable ones of EVM, 6 for signatures of an fs-verity digest.
    pub kind: u8,
    /// The hash algorithm, by the kernel's number (`enum hash_algo`: 2 is SHA-1, 4 SHA-256, 5 SHA-384, 6 SHA-512).
    pub hash_algorithm: u8,
    /// The last four bytes of the signer's subject key identifier, big endian.
    pub key_id: u32,
    /// The signature: PKCS #1 v1.5, or ECDSA in DER.
    pub signature: &'a [u8],
}

impl<'a> ImaSignature<'a> {
    /// Parses the attribute's bytes; the length inside must be that of what follows.
    pub fn parse(raw: &'a [u8], at: At) -> Result<Self, Error> {
        let mut cursor = Cursor::new(raw, at.record, at.offset);
        let [kind, version, hash_algorithm] = cursor.array("signature header")?;
        if !matches!((kind, version), (0x03, 2 | 3) | (0x05, 2) | (0x06, 3)) {
            return Err(Error::Malformed { at, expected: "a digital signature of version 2 or 3" });
        }
        let key_id = u32::from_be_bytes(cursor.array("key identifier")?);
        let size = usize::from(u16::from_be_bytes(cursor.array("signature size")?));
        if cursor.rest().len() != size {
            return Err(Error::Malformed { at, expected: "a signature as long as its header says" });
        }

        Ok(ImaSignature { version, kind, hash_algorithm, key_id, signature: cursor.rest() })
    }

    /// Returns the hash algorithm's name.
    #[must_use]
    pub const fn hash_name(&self) -> Option<&'static str> {
        // Linux, "hash_info.h", `enum hash_algo`
        Some(match self.hash_algorithm {
            2 => "sha1",
            4 => "sha256",
            5 => "sha384",
            6 => "sha512",
            7 => "sha224",
            17 => "sm3",
            20 => "sha3-256",
            21 => "sha3-384",
            22 => "sha3-512",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: At = At { record: 3, offset: 300 };

    #[test]
    fn a_signature_has_the_length_that_its_header_says() {
        let raw = [3, 2, 4, 0x53, 0x1F, 0x40, 0x25, 0, 2, 0xAA, 0xBB];
        let signature = ImaSignature::parse(&raw, AT).unwrap();
        assert_eq!((signature.key_id, signature.hash_name()), (0x531F_4025, Some("sha256")));
        assert_eq!(signature.signature, [0xAA, 0xBB]);
        assert!(matches!(ImaSignature::parse(&raw[..10], AT), Err(Error::Malformed { at: AT, .. })));
        assert!(matches!(ImaSignature::parse(&[&raw[..], &[0]].concat(), AT), Err(Error::Malformed { .. })));
    }

    #[test]
    fn an_attribute_that_is_a_plain_hash_is_no_signature() {
        assert!(matches!(ImaSignature::parse(&[4, 2, 4, 0, 0, 0, 0, 0, 0], AT), Err(Error::Malformed { .. })));
        assert!(matches!(ImaSignature::parse(&[3, 1, 4, 0, 0, 0, 0, 0, 0], AT), Err(Error::Malformed { .. })));
        assert!(matches!(ImaSignature::parse(&[3], AT), Err(Error::Truncated { .. })));
    }
}
