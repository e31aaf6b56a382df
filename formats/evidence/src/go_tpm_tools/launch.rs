// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Google's endorsement of the firmware that it launches (google/gce-tcb-verifier, `proto/endorsement.proto`, `VMLaunchEndorsement`).

use alloc::vec::Vec;

use super::protobuf::Fields;
use crate::Error;

const WHAT: &str = "launch endorsement of Google";

/// An endorsement, not verified; of what it says, the launches of SEV-SNP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaunchEndorsement<'a> {
    /// What is signed, a `VMGoldenMeasurement`.
    pub signed: &'a [u8],
    /// RSASSA-PSS with SHA-256 over it.
    pub signature: &'a [u8],
    /// The signer's certificate, in DER.
    pub certificate: &'a [u8],
    /// Authorities between the signer and the root, in PEM; Google sends none.
    pub authorities: &'a [u8],
    /// The security version of the firmware.
    pub svn: u64,
    /// Launch measurements of the firmware, one for each number of VMSAs.
    pub uefi: Vec<[u8; 48]>,
    /// The launch measurement with an SVSM.
    pub svsm: Option<[u8; 48]>,
}

impl<'a> LaunchEndorsement<'a> {
    /// Tells whether bytes may be such an endorsement, which begins with its first field.
    #[must_use]
    pub fn recognizes(bytes: &[u8]) -> bool {
        bytes.first() == Some(&0x0A)
    }

    /// Parses an endorsement; one without launches of SEV-SNP is refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let envelope = Fields::parse(WHAT, bytes)?;
        let missing = || Error::Missing { what: WHAT };
        let signed = envelope.bytes(1).ok_or_else(missing)?;
        let golden = Fields::parse(WHAT, signed)?;
        let snp = golden.bytes(7).ok_or(Error::Missing { what: "launch of SEV-SNP in an endorsement of Google" })?;
        let snp = Fields::parse(WHAT, snp)?;
        let mut uefi = Vec::new();
        for entry in snp.all(2) {
            let entry = Fields::parse(WHAT, entry)?;
            uefi.push(measurement(entry.bytes(2).unwrap_or_default())?);
        }
        Ok(Self {
            signed,
            signature: envelope.bytes(2).ok_or(Error::Missing { what: "signature of a launch endorsement" })?,
            certificate: golden.bytes(4).ok_or(Error::Missing { what: "certificate of a launch endorsement" })?,
            authorities: golden.bytes(6).unwrap_or_default(),
            svn: snp.number(1),
            uefi,
            svsm: snp.bytes(7).filter(|bytes| !bytes.is_empty()).map(measurement).transpose()?,
        })
    }
}

fn measurement(bytes: &[u8]) -> Result<[u8; 48], Error> {
    bytes.try_into().map_err(|_| Error::Length { what: "launch measurement", expected: 48, actual: bytes.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8 | 0x80, (bytes.len() >> 7) as u8], bytes].concat()
    }

    fn golden(measurement: &[u8]) -> Vec<u8> {
        let entry = [[8, 4].as_slice(), &field(2, measurement)].concat();
        let snp = [[8, 3].as_slice(), &field(2, &entry), &field(7, &[9; 48])].concat();
        [field(4, b"certificate"), field(7, &snp)].concat()
    }

    #[test]
    fn the_launches_of_an_endorsement_are_those_of_firmware_and_svsm() {
        let signed = golden(&[7; 48]);
        let bytes = [field(1, &signed), field(2, b"signature")].concat();
        assert!(LaunchEndorsement::recognizes(&bytes));
        let expected = LaunchEndorsement {
            signed: &signed,
            signature: b"signature",
            certificate: b"certificate",
            authorities: b"",
            svn: 3,
            uefi: [[7; 48]].to_vec(),
            svsm: Some([9; 48]),
        };
        assert_eq!(LaunchEndorsement::parse(&bytes), Ok(expected));
        for length in 0..bytes.len() {
            assert!(LaunchEndorsement::parse(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_measurement_of_another_size_is_refused() {
        let bytes = [field(1, &golden(&[7; 47])), field(2, b"signature")].concat();
        let refused = Err(Error::Length { what: "launch measurement", expected: 48, actual: 47 });
        assert_eq!(LaunchEndorsement::parse(&bytes), refused);
    }
}
