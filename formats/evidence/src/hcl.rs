// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The attestation report of Azure's paravisor (OpenHCL, "attestation report", at NV index 01400001h): a hardware report and
//! the runtime claims that its REPORT_DATA commits to.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;

use crate::Error;
use crate::bytes::{Cursor, field};
use crate::jwk::Jwk;

/// The room for a hardware report.
const REPORT_BYTES: usize = 1184;
/// The length of a TDREPORT in that room.
const TD_REPORT_BYTES: usize = 1024;

/// The report, not verified.
#[derive(Clone, Debug)]
pub struct HclReport<'a> {
    /// The version of the header.
    pub header_version: u32,
    /// The hardware's report.
    pub report: HardwareReport<'a>,
    /// The runtime claims as they are hashed.
    pub runtime_claims: &'a [u8],
    /// The hash over the claims.
    pub hash: ClaimsHash,
}

/// The hardware's report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HardwareReport<'a> {
    /// An SEV-SNP attestation report.
    Snp(&'a [u8; REPORT_BYTES]),
    /// A TDREPORT, which only its own machine can verify: a quote has to vouch for its REPORTDATA.
    Tdx(TdReport<'a>),
}

/// A TDREPORT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TdReport<'a>(&'a [u8; TD_REPORT_BYTES]);

impl<'a> TdReport<'a> {
    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8; TD_REPORT_BYTES] {
        self.0
    }

    /// Returns REPORTDATA.
    #[must_use]
    pub fn report_data(&self) -> [u8; 64] {
        field(self.0, 128)
    }
}

/// The hash over the runtime claims that REPORT_DATA begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimsHash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// The runtime claims, as far as a verifier looks at them.
#[derive(Clone, Debug, Deserialize)]
pub struct RuntimeClaims {
    /// The keys of the vTPM.
    pub keys: Vec<Jwk>,
    /// How the virtual machine is set up.
    #[serde(rename = "vm-configuration", default)]
    pub vm_configuration: Option<VmConfiguration>,
    /// What the guest had put in.
    #[serde(rename = "user-data", default)]
    pub user_data: Option<String>,
}

/// How a virtual machine is set up, in the paravisor's words; what it does not say is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VmConfiguration {
    /// Whether the host has a console of the guest.
    pub console_enabled: Option<bool>,
    /// Whether the firmware checks what it starts.
    pub secure_boot: Option<bool>,
    /// Whether the guest has a vTPM.
    pub tpm_enabled: Option<bool>,
    /// Whether the vTPM's state outlives the virtual machine's runs.
    pub tpm_persisted: Option<bool>,
    /// The identifier of the virtual machine.
    #[serde(rename = "vmUniqueId")]
    pub vm_id: Option<String>,
}

impl<'a> HclReport<'a> {
    /// The signature at the beginning.
    pub const SIGNATURE: [u8; 4] = *b"HCLA";

    /// Parses a report; NV memory may have zeros behind the claims, and nothing else.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Cursor::new(bytes);
        let signature = cursor.array::<4>("HCL signature")?;
        if *signature != Self::SIGNATURE {
            return Err(Error::Unknown { what: "HCL signature", value: u64::from(u32::from_le_bytes(*signature)) });
        }
        let header_version = cursor.u32("HCL header version")?;
        if !matches!(header_version, 1 | 2) {
            return Err(Error::Unknown { what: "HCL header version", value: u64::from(header_version) });
        }
        let _size_type_and_status = cursor.array::<24>("HCL header")?;
        let room = cursor.array::<REPORT_BYTES>("hardware report")?;
        let _data_size = cursor.u32("runtime data size")?;
        let _version = cursor.u32("runtime data version")?;
        let report_type = cursor.u32("report type")?;
        let hash = match cursor.u32("hash type")? {
            1 => ClaimsHash::Sha256,
            2 => ClaimsHash::Sha384,
            3 => ClaimsHash::Sha512,
            other => return Err(Error::Unknown { what: "hash type", value: u64::from(other) }),
        };
        let report = match (report_type, room.first_chunk()) {
            (2, _) => HardwareReport::Snp(room),
            (4, Some(report)) => HardwareReport::Tdx(TdReport(report)),
            _ => return Err(Error::Unknown { what: "report type", value: u64::from(report_type) }),
        };
        let runtime_claims = cursor.prefixed_u32("runtime claims")?;
        let rest = cursor.rest();
        if rest.iter().any(|byte| *byte != 0) {
            return Err(Error::Trailing { what: "runtime claims", count: rest.len() });
        }
        Ok(Self { header_version, report, runtime_claims, hash })
    }
}

impl RuntimeClaims {
    /// Decodes the claims' JSON.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(json)
            .map_err(|error| Error::Malformed { what: "runtime claims", detail: error.to_string() })
    }

    /// Returns the key with this identifier; a second one of the same name is refused.
    pub fn key(&self, kid: &'static str) -> Result<&Jwk, Error> {
        let mut found = self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid));
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Error::Missing { what: kid }),
            (Some(_), Some(_)) => Err(Error::Twice { what: kid }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn report(kind: u32, claims: &[u8], padding: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 32 + REPORT_BYTES];
        bytes[..5].copy_from_slice(b"HCLA\x02");
        let length = u32::try_from(claims.len()).unwrap();
        for number in [length + 20, 1, kind, 1, length] {
            bytes.extend(number.to_le_bytes());
        }
        [bytes.as_slice(), claims, padding].concat()
    }

    #[test]
    fn the_type_field_decides_what_the_report_is() {
        let bytes = report(2, b"{}", &[0; 9]);
        assert!(matches!(HclReport::parse(&bytes).unwrap().report, HardwareReport::Snp(_)));
        let bytes = report(4, b"{}", &[]);
        let parsed = HclReport::parse(&bytes).unwrap();
        assert!(matches!(parsed.report, HardwareReport::Tdx(_)));
        assert_eq!(parsed.runtime_claims, b"{}");
    }

    #[test]
    fn bytes_that_are_no_padding_are_refused() {
        assert!(matches!(HclReport::parse(&report(2, b"{}", &[0, 1])), Err(Error::Trailing { count: 2, .. })));
    }

    #[test]
    fn two_keys_of_one_name_are_refused() {
        let key = r#"{"kid":"HCLAkPub","kty":"RSA","n":"AQ","e":"AQAB"}"#;
        let claims = RuntimeClaims::parse(alloc::format!(r#"{{"keys":[{key},{key}]}}"#).as_bytes()).unwrap();
        assert!(matches!(claims.key("HCLAkPub"), Err(Error::Twice { .. })));
        assert!(matches!(claims.key("HCLEkPub"), Err(Error::Missing { .. })));
    }
}
