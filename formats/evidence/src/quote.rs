// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Intel quotes of SGX enclaves and TDs, versions 3, 4 and 5 (*SGX ECDSA Quote Library Reference* and *TDX DCAP*, "Quote Format").
//!
//! ```text
//! header (48) ‖ [body type, size] ‖ body ‖ length ‖ signature (64) ‖ key (64) ‖ certification data
//! ```
//! In versions 4 and 5 the quoting enclave's own report stands in certification data of type 6, with the data that
//! certify it inside; version 3 has it between the key and the certification data.

use crate::Error;
use crate::bytes::{Cursor, field};

/// The length of a header.
const HEADER_BYTES: usize = 48;
/// The length of an enclave's report.
const ENCLAVE_BYTES: usize = 384;
/// `tee_type` of a TD.
const TEE_TDX: u32 = 0x81;
/// ECDSA with P-256, the one kind of attestation key that there is.
const ECDSA_P256: u16 = 2;
/// The certification data that hold the quoting enclave's report.
const QE_REPORT_DATA: u16 = 6;

/// A quote, not verified.
#[derive(Clone, Debug)]
pub struct Quote<'a> {
    /// The version: 3, 4 or 5.
    pub version: u16,
    /// What was quoted.
    pub body: Body<'a>,
    /// The bytes that the attestation key signed: the header and the body.
    pub signed: &'a [u8],
    /// r ‖ s of P-256.
    pub signature: &'a [u8; 64],
    /// x ‖ y of the attestation key.
    pub attestation_key: &'a [u8; 64],
    /// The report of the quoting enclave, whose REPORTDATA binds the attestation key.
    pub qe_report: Enclave<'a>,
    /// r ‖ s of P-256 over the quoting enclave's report, by the platform's certification key.
    pub qe_signature: &'a [u8; 64],
    /// What is hashed with the attestation key.
    pub qe_authentication_data: &'a [u8],
    /// What certifies the platform's key: type 5 is a chain in PEM, 1 to 4 need a service.
    pub certification: Certification<'a>,
    /// The bytes of the quote, without what follows it.
    pub bytes: &'a [u8],
}

/// What certifies the platform's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certification<'a> {
    /// The type.
    pub kind: u16,
    /// The data.
    pub data: &'a [u8],
}

/// What was quoted.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// An enclave.
    Enclave(Enclave<'a>),
    /// A TD.
    Td(Td<'a>),
}

/// The report of an enclave (`sgx_report_body_t`).
#[derive(Clone, Copy, Debug)]
pub struct Enclave<'a>(&'a [u8; ENCLAVE_BYTES]);

/// The report of a TD, as TDX 1.0 or TDX 1.5 makes it.
#[derive(Clone, Copy, Debug)]
pub struct Td<'a> {
    bytes: &'a [u8],
}

impl<'a> Quote<'a> {
    /// Parses a quote that fills all of `bytes`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let (quote, rest) = Self::parse_prefix(bytes)?;
        if rest.is_empty() { Ok(quote) } else { Err(Error::Trailing { what: "quote", count: rest.len() }) }
    }

    /// Parses a quote and returns what follows it: libraries hand out buffers that are longer than the quote.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        let mut cursor = Cursor::new(bytes);
        let header = cursor.array::<HEADER_BYTES>("quote header")?;
        let version = u16::from_le_bytes(field(header, 0));
        let key_type = u16::from_le_bytes(field(header, 2));
        if key_type != ECDSA_P256 {
            return Err(Error::Unknown { what: "attestation key type", value: u64::from(key_type) });
        }
        let body = Body::read(version, u32::from_le_bytes(field(header, 4)), &mut cursor)?;
        let signed = consumed(bytes, &cursor);
        let signature_data = cursor.prefixed_u32("signature data")?;
        let quote_bytes = consumed(bytes, &cursor);
        let quote = Self::read_signature(version, body, signed, signature_data, quote_bytes)?;
        Ok((quote, cursor.rest()))
    }

    fn read_signature(
        version: u16,
        body: Body<'a>,
        signed: &'a [u8],
        signature_data: &'a [u8],
        bytes: &'a [u8],
    ) -> Result<Self, Error> {
        let mut cursor = Cursor::new(signature_data);
        let signature = cursor.array("quote signature")?;
        let attestation_key = cursor.array("attestation key")?;
        let mut inner = cursor.clone();
        if version >= 4 {
            let kind = cursor.u16("certification data type")?;
            if kind != QE_REPORT_DATA {
                return Err(Error::Unknown { what: "certification data type", value: u64::from(kind) });
            }
            inner = Cursor::new(cursor.prefixed_u32("certification data")?);
            cursor.finish("signature data")?;
        }
        let qe_report = Enclave(inner.array("report of the quoting enclave")?);
        let qe_signature = inner.array("signature of the quoting enclave's report")?;
        let qe_authentication_data = inner.prefixed_u16("authentication data")?;
        let kind = inner.u16("certification data type")?;
        let data = inner.prefixed_u32("certification data")?;
        inner.finish("certification data")?;
        Ok(Self {
            version,
            body,
            signed,
            signature,
            attestation_key,
            qe_report,
            qe_signature,
            qe_authentication_data,
            certification: Certification { kind, data },
            bytes,
        })
    }

    /// Returns the data that the requester had put in.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        match &self.body {
            Body::Enclave(enclave) => enclave.report_data(),
            Body::Td(td) => td.report_data(),
        }
    }

    /// Tells whether the enclave or the TD can be looked into by its host.
    #[must_use]
    pub fn is_debug(&self) -> bool {
        match &self.body {
            Body::Enclave(enclave) => enclave.is_debug(),
            Body::Td(td) => td.is_debug(),
        }
    }
}

/// The part of `bytes` that a cursor over it has read.
fn consumed<'a>(bytes: &'a [u8], cursor: &Cursor<'a>) -> &'a [u8] {
    bytes.get(..bytes.len().saturating_sub(cursor.rest().len())).unwrap_or(bytes)
}

impl<'a> Body<'a> {
    fn read(version: u16, tee: u32, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let unknown = |what, value: u32| Err(Error::Unknown { what, value: u64::from(value) });
        match (version, tee) {
            (3, 0) | (4, 0) => Ok(Self::Enclave(Enclave(cursor.array("enclave report")?))),
            (4, TEE_TDX) => Ok(Self::Td(Td { bytes: cursor.take("TD report", Td::BYTES_1_0)? })),
            (5, _) => {
                let kind = cursor.u16("body type")?;
                let body = cursor.prefixed_u32("body")?;
                // A TD that passes for an enclave, or the other way round, is neither.
                let expected = match (kind, tee) {
                    (1, 0) => ENCLAVE_BYTES,
                    (2, TEE_TDX) => Td::BYTES_1_0,
                    (3, TEE_TDX) => Td::BYTES_1_5,
                    _ => return unknown("body type", u32::from(kind)),
                };
                if body.len() != expected {
                    return Err(Error::Length { what: "body", expected, actual: body.len() });
                }
                match body.first_chunk().filter(|_| kind == 1) {
                    Some(enclave) => Ok(Self::Enclave(Enclave(enclave))),
                    None => Ok(Self::Td(Td { bytes: body })),
                }
            }
            (3..=4, _) => unknown("TEE type", tee),
            _ => unknown("quote version", u32::from(version)),
        }
    }
}

impl<'a> Enclave<'a> {
    /// Returns the report as it was signed.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8; ENCLAVE_BYTES] {
        self.0
    }

    /// Returns ATTRIBUTES.
    #[must_use]
    pub fn attributes(&self) -> [u8; 16] {
        field(self.0, 48)
    }

    /// Returns MRENCLAVE, the measurement of the enclave.
    #[must_use]
    pub fn mr_enclave(&self) -> [u8; 32] {
        field(self.0, 64)
    }

    /// Returns MRSIGNER, the digest of the key that signed the enclave.
    #[must_use]
    pub fn mr_signer(&self) -> [u8; 32] {
        field(self.0, 128)
    }

    /// Returns ISVPRODID.
    #[must_use]
    pub fn product_id(&self) -> u16 {
        u16::from_le_bytes(field(self.0, 256))
    }

    /// Returns ISVSVN.
    #[must_use]
    pub fn security_version(&self) -> u16 {
        u16::from_le_bytes(field(self.0, 258))
    }

    /// Returns REPORTDATA.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        field(self.0, 320)
    }

    /// Tells whether ATTRIBUTES.DEBUG is set.
    #[must_use]
    pub fn is_debug(&self) -> bool {
        let [flags, ..] = self.attributes();
        flags & 2 != 0
    }
}

impl<'a> Td<'a> {
    /// The length of a report of TDX 1.0.
    const BYTES_1_0: usize = 584;
    /// The length of a report of TDX 1.5.
    const BYTES_1_5: usize = 648;

    /// Returns the report as it was signed.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Tells whether the report has the fields that TDX 1.5 added.
    #[must_use]
    pub const fn is_1_5(&self) -> bool {
        self.bytes.len() == Self::BYTES_1_5
    }

    /// Returns TEE_TCB_SVN.
    #[must_use]
    pub fn tcb_svn(&self) -> [u8; 16] {
        field(self.bytes, 0)
    }

    /// Returns MRSEAM, the measurement of the TDX module.
    #[must_use]
    pub fn mr_seam(&self) -> [u8; 48] {
        field(self.bytes, 16)
    }

    /// Returns TDATTRIBUTES.
    #[must_use]
    pub fn attributes(&self) -> [u8; 8] {
        field(self.bytes, 120)
    }

    /// Returns XFAM.
    #[must_use]
    pub fn xfam(&self) -> [u8; 8] {
        field(self.bytes, 128)
    }

    /// Returns MRTD, the measurement of the TD's initial contents.
    #[must_use]
    pub fn mr_td(&self) -> [u8; 48] {
        field(self.bytes, 136)
    }

    /// Returns MRCONFIGID.
    #[must_use]
    pub fn mr_config_id(&self) -> [u8; 48] {
        field(self.bytes, 184)
    }

    /// Returns MROWNER.
    #[must_use]
    pub fn mr_owner(&self) -> [u8; 48] {
        field(self.bytes, 232)
    }

    /// Returns MROWNERCONFIG.
    #[must_use]
    pub fn mr_owner_config(&self) -> [u8; 48] {
        field(self.bytes, 280)
    }

    /// Returns the four runtime measurement registers.
    #[must_use]
    pub fn rtmrs(&self) -> [[u8; 48]; 4] {
        [field(self.bytes, 328), field(self.bytes, 376), field(self.bytes, 424), field(self.bytes, 472)]
    }

    /// Returns REPORTDATA.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        field(self.bytes, 520)
    }

    /// Tells whether TDATTRIBUTES.DEBUG is set, or another bit of the group TUD that makes the TD untrusted.
    #[must_use]
    pub fn is_debug(&self) -> bool {
        let [untrusted, ..] = self.attributes();
        untrusted != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn certification(kind: u16, data: &[u8]) -> Vec<u8> {
        [kind.to_le_bytes().as_slice(), &u32::try_from(data.len()).unwrap().to_le_bytes(), data].concat()
    }

    fn quote(version: u16, tee: u32, body: &[u8]) -> Vec<u8> {
        let mut quote = vec![0; HEADER_BYTES];
        quote[..2].copy_from_slice(&version.to_le_bytes());
        quote[2] = 2;
        quote[4..8].copy_from_slice(&tee.to_le_bytes());
        quote.extend(body);
        let qe = [&[7; ENCLAVE_BYTES], [8; 64].as_slice(), &[2, 0, 9, 9], &certification(5, b"PEM")].concat();
        let rest = if version == 3 { qe } else { certification(6, &qe) };
        let signature = [&[1; 128], rest.as_slice()].concat();
        quote.extend(u32::try_from(signature.len()).unwrap().to_le_bytes());
        quote.extend(signature);
        quote
    }

    #[test]
    fn each_version_finds_its_parts() {
        let body15 = [[3, 0].as_slice(), &648_u32.to_le_bytes(), &[5; 648]].concat();
        let cases = [(3, 0, vec![5; 384]), (4, 0, vec![5; 384]), (4, TEE_TDX, vec![5; 584]), (5, TEE_TDX, body15)];
        for (version, tee, body) in cases {
            let bytes = quote(version, tee, &body);
            let parsed = Quote::parse(&bytes).unwrap();
            assert_eq!(parsed.signed.len(), HEADER_BYTES + body.len(), "version {version}");
            assert_eq!(parsed.qe_authentication_data, [9, 9]);
            assert_eq!(parsed.certification, Certification { kind: 5, data: b"PEM" });
            assert_eq!(parsed.report_data(), [5; 64]);
        }
    }

    #[test]
    fn a_body_of_the_other_tee_is_refused() {
        let body = [[1, 0].as_slice(), &384_u32.to_le_bytes(), &[5; 384]].concat();
        assert!(matches!(Quote::parse(&quote(5, TEE_TDX, &body)), Err(Error::Unknown { what: "body type", .. })));
        assert!(matches!(Quote::parse(&quote(3, TEE_TDX, &[5; 584])), Err(Error::Unknown { what: "TEE type", .. })));
    }

    #[test]
    fn no_length_reaches_past_the_end() {
        let whole = quote(4, TEE_TDX, &[5; 584]);
        for length in 0..whole.len() {
            assert!(Quote::parse(&whole[..length]).is_err(), "{length}");
        }
        assert!(matches!(Quote::parse(&[whole.as_slice(), &[0]].concat()), Err(Error::Trailing { count: 1, .. })));
        assert_eq!(Quote::parse_prefix(&[whole.as_slice(), &[0; 70]].concat()).unwrap().1.len(), 70);
    }
}
