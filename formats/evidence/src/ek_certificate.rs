// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An endorsement key's certificate that says nothing but carries a report: for protocols that have a place for a certificate
//! alone (Keylime's `ekcert`).
//!
//! It is an unsigned certificate (RFC 9925) with one extension, a conceptual message wrapper (`id-pe-cmw`, draft-ietf-rats-msg-wrap,
//! "X.509 PKIX Evidence Extension"). Who believes it believes the report, and that the report binds the key.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef, Utf8StringRef};
use der::{Decode, Encode, Sequence};

use crate::Error;
use crate::cmw::{Cmw, ContentType, Record, indicator};

const WHAT: &str = "EK certificate with a report";

/// The media type of the report.
pub const REPORT_TYPE: &str = "application/vnd.evtpm.snp-report";

/// `id-alg-unsigned`.
const UNSIGNED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.6.36");
/// `id-pe-cmw`.
const PE_CMW: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.35");
/// `CN=evtpm`.
const NAME: &[u8] = b"\x30\x10\x31\x0E\x30\x0C\x06\x03\x55\x04\x03\x0C\x05evtpm";
/// From 2000 to "no well-defined expiration date" (RFC 5280, "Validity"): the key ends with its boot, whatever a clock says.
const VALIDITY: &[u8] = b"\x30\x20\x17\x0D000101000000Z\x18\x0F99991231235959Z";
/// What stands before x and y of a P-256 key in its SubjectPublicKeyInfo (RFC 5480), uncompressed.
const P256_BEFORE: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2A\x86\x48\xCE\x3D\x02\x01\x06\x08\x2A\x86\x48\xCE\x3D\x03\x01\x07\x03\x42\x00\x04";

/// What such a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EkCertificate {
    /// SubjectPublicKeyInfo of the key, in DER.
    pub public_key: Vec<u8>,
    /// The SEV-SNP report.
    pub report: Vec<u8>,
}

#[derive(Sequence)]
struct Certificate<'a> {
    tbs: Tbs<'a>,
    algorithm: Algorithm,
    signature: BitStringRef<'a>,
}

#[derive(Sequence)]
struct Tbs<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial: UintRef<'a>,
    algorithm: Algorithm,
    issuer: AnyRef<'a>,
    validity: AnyRef<'a>,
    subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension<'a>>,
}

#[derive(Sequence)]
struct Algorithm {
    oid: ObjectIdentifier,
}

#[derive(Sequence)]
struct Extension<'a> {
    oid: ObjectIdentifier,
    value: &'a OctetStringRef,
}

impl EkCertificate {
    /// Makes the certificate of a P-256 key by its coordinates of 32 bytes.
    #[must_use]
    pub fn of_p256(x: &[u8; 32], y: &[u8; 32], report: &[u8]) -> Self {
        EkCertificate { public_key: [P256_BEFORE, x, y].concat(), report: report.to_vec() }
    }

    /// Encodes the certificate: the same bytes for the same key and report.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        let content = ContentType::Media(REPORT_TYPE.to_string());
        let record = Record { content, value: self.report.clone(), indicator: Some(indicator::EVIDENCE) };
        let wrapper = Cmw::Record(record).to_json()?;
        let wrapper = Utf8StringRef::new(&wrapper).and_then(|text| text.to_der()).map_err(malformed)?;
        let any = |bytes| AnyRef::from_der(bytes).map_err(malformed);
        let certificate = Certificate {
            tbs: Tbs {
                version: 2,
                serial: UintRef::new(&[1]).map_err(malformed)?,
                algorithm: Algorithm { oid: UNSIGNED },
                issuer: any(NAME)?,
                validity: any(VALIDITY)?,
                subject: any(NAME)?,
                public_key: any(&self.public_key)?,
                extensions: vec![Extension { oid: PE_CMW, value: OctetStringRef::new(&wrapper).map_err(malformed)? }],
            },
            algorithm: Algorithm { oid: UNSIGNED },
            signature: BitStringRef::from_bytes(&[]).map_err(malformed)?,
        };
        certificate.to_der().map_err(malformed)
    }

    /// Decodes a certificate of this kind, and no other.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let Certificate { tbs, algorithm, signature } = Certificate::from_der(bytes).map_err(malformed)?;
        if [tbs.algorithm.oid, algorithm.oid] != [UNSIGNED; 2] || !signature.is_empty() || tbs.version != 2 {
            return Err(Error::Malformed { what: WHAT, detail: "it is not an unsigned certificate".to_string() });
        }
        let mut wrappers = tbs.extensions.iter().filter(|extension| extension.oid == PE_CMW);
        let wrapper = wrappers.next().ok_or(Error::Missing { what: "extension id-pe-cmw" })?;
        if wrappers.next().is_some() {
            return Err(Error::Twice { what: "extension id-pe-cmw" });
        }
        let text = Utf8StringRef::from_der(wrapper.value.as_bytes()).map_err(malformed)?;
        let Cmw::Record(record) = Cmw::parse(text.as_str().as_bytes())? else {
            return Err(Error::Malformed { what: WHAT, detail: "its extension holds a collection".to_string() });
        };
        if record.content != ContentType::Media(REPORT_TYPE.to_string()) {
            return Err(Error::Malformed { what: WHAT, detail: "its extension holds no SEV-SNP report".to_string() });
        }
        Ok(EkCertificate { public_key: tbs.public_key.to_der().map_err(malformed)?, report: record.value })
    }
}

fn malformed(error: der::Error) -> Error {
    Error::Malformed { what: WHAT, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> EkCertificate {
        EkCertificate::of_p256(&[1; 32], &[2; 32], &[0xAB; 1184])
    }

    #[test]
    fn what_is_written_is_read() {
        let der = certificate().to_der().unwrap();
        assert_eq!(EkCertificate::parse(&der), Ok(certificate()));
        assert_eq!(certificate().to_der().unwrap(), der);
    }

    #[test]
    fn a_cut_or_longer_certificate_is_refused() {
        let mut der = certificate().to_der().unwrap();
        for length in 0..der.len() {
            assert!(EkCertificate::parse(&der[..length]).is_err(), "{length}");
        }
        der.push(0);
        assert!(EkCertificate::parse(&der).is_err());
    }

    #[test]
    fn a_certificate_that_claims_a_signature_is_refused() {
        let mut der = certificate().to_der().unwrap();
        // The last arc of id-alg-unsigned, at both places.
        let places: Vec<usize> =
            (0..der.len() - 8).filter(|at| der[*at..].starts_with(b"\x2B\x06\x01\x05\x05\x07\x06\x24")).collect();
        assert_eq!(places.len(), 2);
        for place in places {
            der[place + 7] = 0x25;
            assert!(EkCertificate::parse(&der).is_err());
            der[place + 7] = 0x24;
        }
    }
}
