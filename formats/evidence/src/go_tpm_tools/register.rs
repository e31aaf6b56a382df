// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What `gotpm register` exchanges (google/go-tpm-tools, `proto/tpm.proto`): a key to import, and the certificate that it makes.

use alloc::vec::Vec;

use super::protobuf::Fields;
use crate::Error;

/// A key that a TPM is to import below its endorsement key (`ImportBlob`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportBlob<'a> {
    /// The content of `duplicate`, a `TPM2B_PRIVATE`.
    pub duplicate: &'a [u8],
    /// The content of `inSymSeed`, a `TPM2B_ENCRYPTED_SECRET`.
    pub encrypted_seed: &'a [u8],
    /// `objectPublic`: a `TPMT_PUBLIC`.
    pub public: &'a [u8],
}

/// An attestation key with the certificate of the imported key (`CertifiedBlob`), not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertifiedBlob<'a> {
    /// The certified key's `TPMT_PUBLIC`.
    pub public: &'a [u8],
    /// `TPMS_ATTEST`.
    pub message: &'a [u8],
    /// `TPMT_SIGNATURE`.
    pub signature: &'a [u8],
}

impl ImportBlob<'_> {
    /// Writes the message.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Fields 1, 2 and 3, each of bytes behind their length.
        for (tag, bytes) in [(0x0A, self.duplicate), (0x12, self.encrypted_seed), (0x1A, self.public)] {
            out.push(tag);
            append_length(&mut out, bytes.len());
            out.extend_from_slice(bytes);
        }
        out
    }
}

impl<'a> CertifiedBlob<'a> {
    /// Parses the message.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        const WHAT: &str = "certified key of go-tpm-tools";
        let fields = Fields::parse(WHAT, bytes)?;
        let field = |number| fields.bytes(number).filter(|bytes| !bytes.is_empty());
        Ok(Self {
            public: field(1).ok_or(Error::Missing { what: "public area of a certified key" })?,
            message: field(2).ok_or(Error::Missing { what: "certificate of a certified key" })?,
            signature: field(3).ok_or(Error::Missing { what: "signature of a certified key" })?,
        })
    }
}

/// Writes a number in groups of seven bits, the least first.
fn append_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let [low, ..] = length.to_le_bytes();
        length >>= 7;
        if length == 0 {
            return out.push(low & 0x7F);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_to_import_is_read_as_it_was_written() {
        let (duplicate, seed) = ([7; 300], [8; 127]);
        let bytes = ImportBlob { duplicate: &duplicate, encrypted_seed: &seed, public: &[9; 128] }.to_bytes();
        let fields = Fields::parse("test", &bytes).unwrap();
        assert_eq!(fields.bytes(1), Some(duplicate.as_slice()));
        assert_eq!(fields.bytes(2), Some(seed.as_slice()));
        assert_eq!(fields.bytes(3), Some([9; 128].as_slice()));
    }

    #[test]
    fn a_certified_key_without_one_of_its_parts_is_refused() {
        let whole = [10, 1, 0xAA, 18, 1, 0xBB, 26, 1, 0xCC];
        let parsed = CertifiedBlob::parse(&whole).unwrap();
        assert_eq!((parsed.public, parsed.message, parsed.signature), ([0xAA].as_slice(), &[0xBB][..], &[0xCC][..]));
        for length in 0..whole.len() {
            assert!(CertifiedBlob::parse(&whole[..length]).is_err(), "{length}");
        }
    }
}
