// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The key broker protocol of Confidential Containers (version 0.4), as far as a guest on SEV-SNP speaks it: what its
//! components send, and what they are answered.
//!
//! ```text
//! POST /kbs/v0/auth                              Request     → Challenge, and a session in a cookie
//! POST /kbs/v0/attest                            Attestation → Token
//! GET  /kbs/v0/resource/{repository}/{type}/{tag}            → a JWE for the key that the report covers
//! ```

use std::fmt;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Opens a session.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// The protocol's version.
    pub version: String,
    /// The kind of hardware.
    pub tee: String,
    /// Parameters that no guest on SEV-SNP needs.
    #[serde(rename = "extra-params", default)]
    pub extra_params: IgnoredAny,
}

/// The answer to a [`Request`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// What the report has to cover.
    pub nonce: String,
    /// None: the guest then hashes by SHA-384.
    #[serde(rename = "extra-params")]
    pub extra_params: NoParameters,
}

/// `{}`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoParameters {}

/// A report, and what it covers. Initial data are left to the policy, which sees HOST_DATA.
#[derive(Debug, Deserialize)]
pub struct Attestation {
    /// What the report covers.
    #[serde(rename = "runtime-data")]
    pub runtime_data: RuntimeData,
    /// The evidence.
    #[serde(rename = "tee-evidence")]
    pub tee_evidence: CompositeEvidence,
}

/// What the report covers, beside evidence of further devices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RuntimeData {
    /// The challenge's.
    pub nonce: String,
    /// The key of the guest, to which resources are encrypted.
    #[serde(rename = "tee-pubkey")]
    pub tee_pubkey: TeeKey,
}

/// A public key as JWK; numbers in base64url without padding. Fields stand in the order of their names, and no others are
/// taken: so it is serialized canonically (RFC 8785).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TeeKey {
    /// An elliptic curve.
    Ec(EcKey),
    /// RSA.
    Rsa(RsaKey),
}

/// A point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EcKey {
    /// How keys are encrypted to it.
    pub alg: String,
    /// The curve.
    pub crv: String,
    /// `EC`
    pub kty: String,
    /// The coordinate x.
    pub x: String,
    /// The coordinate y.
    pub y: String,
}

/// A modulus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RsaKey {
    /// How keys are encrypted to it.
    pub alg: String,
    /// The exponent.
    pub e: String,
    /// `RSA`
    pub kty: String,
    /// The modulus.
    pub n: String,
}

/// Evidence of a guest.
#[derive(Debug, Deserialize)]
pub struct CompositeEvidence {
    /// Its processor's.
    pub primary_evidence: SnpEvidence,
    /// That of further devices, in JSON; empty without any.
    #[serde(default)]
    pub additional_evidence: String,
}

/// A report with its certificates, as the `sev` crate writes them.
#[derive(Debug, Deserialize)]
pub struct SnpEvidence {
    /// The report, field by field.
    pub attestation_report: SnpReport,
    /// Certificates of the host.
    #[serde(default)]
    pub cert_chain: Option<Vec<Certificate>>,
}

/// One entry of the host's certificate table.
#[derive(Debug, Deserialize)]
pub struct Certificate {
    /// A name, or a GUID that is of no use here.
    #[serde(default)]
    pub cert_type: IgnoredAny,
    /// DER, or PEM.
    pub data: Vec<u8>,
}

/// An attestation report (SNP ABI, "ATTESTATION_REPORT") without its reserved bytes, which have to be zero.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the fields have the names of the specification")]
pub struct SnpReport {
    pub version: u32,
    pub guest_svn: u32,
    pub policy: u64,
    pub family_id: Vec<u8>,
    pub image_id: Vec<u8>,
    pub vmpl: u32,
    pub sig_algo: u32,
    pub current_tcb: SnpTcb,
    pub plat_info: u64,
    pub key_info: u32,
    pub report_data: Vec<u8>,
    pub measurement: Vec<u8>,
    pub host_data: Vec<u8>,
    pub id_key_digest: Vec<u8>,
    pub author_key_digest: Vec<u8>,
    pub report_id: Vec<u8>,
    pub report_id_ma: Vec<u8>,
    pub reported_tcb: SnpTcb,
    #[serde(default)]
    pub cpuid_fam_id: Option<u8>,
    #[serde(default)]
    pub cpuid_mod_id: Option<u8>,
    #[serde(default)]
    pub cpuid_step: Option<u8>,
    pub chip_id: Vec<u8>,
    pub committed_tcb: SnpTcb,
    pub current: SnpVersion,
    pub committed: SnpVersion,
    pub launch_tcb: SnpTcb,
    #[serde(default)]
    pub launch_mit_vector: Option<u64>,
    #[serde(default)]
    pub current_mit_vector: Option<u64>,
    pub signature: SnpSignature,
}

/// TCB_VERSION; with `fmc` it is laid out as on Turin.
#[derive(Debug, Clone, Copy, Deserialize)]
#[expect(missing_docs, reason = "the fields have the names of the specification")]
pub struct SnpTcb {
    #[serde(default)]
    pub fmc: Option<u8>,
    pub bootloader: u8,
    pub tee: u8,
    pub snp: u8,
    pub microcode: u8,
}

/// A version of the firmware.
#[derive(Debug, Clone, Copy, Deserialize)]
#[expect(missing_docs, reason = "the fields have the names of the specification")]
pub struct SnpVersion {
    pub major: u8,
    pub minor: u8,
    pub build: u8,
}

/// R and S, little-endian, 72 bytes each.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the fields have the names of the specification")]
pub struct SnpSignature {
    pub r: Vec<u8>,
    pub s: Vec<u8>,
}

/// A field of a report has another size than the specification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongSize {
    /// The field.
    pub field: &'static str,
    /// Its bytes in the specification.
    pub expected: usize,
    /// Its bytes here.
    pub actual: usize,
}

impl fmt::Display for WrongSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, expected, actual } = self;
        write!(f, "the report's field {field} has {actual} bytes instead of {expected}")
    }
}

impl std::error::Error for WrongSize {}

/// Bytes of a report.
const REPORT: usize = 0x4A0;

impl SnpReport {
    /// Lays the report out as the processor signed it.
    ///
    /// # Errors
    /// When a field has another size.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WrongSize> {
        let mut out = Layout(Vec::with_capacity(REPORT));
        out.put(&self.version.to_le_bytes()).put(&self.guest_svn.to_le_bytes()).put(&self.policy.to_le_bytes());
        out.field("family_id", &self.family_id, 16)?.field("image_id", &self.image_id, 16)?;
        out.put(&self.vmpl.to_le_bytes()).put(&self.sig_algo.to_le_bytes()).put(&self.current_tcb.to_bytes());
        out.put(&self.plat_info.to_le_bytes()).put(&self.key_info.to_le_bytes()).put(&[0; 4]);
        out.field("report_data", &self.report_data, 64)?.field("measurement", &self.measurement, 48)?;
        out.field("host_data", &self.host_data, 32)?.field("id_key_digest", &self.id_key_digest, 48)?;
        out.field("author_key_digest", &self.author_key_digest, 48)?.field("report_id", &self.report_id, 32)?;
        out.field("report_id_ma", &self.report_id_ma, 32)?.put(&self.reported_tcb.to_bytes());
        let cpuid = [self.cpuid_fam_id, self.cpuid_mod_id, self.cpuid_step].map(Option::unwrap_or_default);
        out.put(&cpuid).put(&[0; 21]).field("chip_id", &self.chip_id, 64)?.put(&self.committed_tcb.to_bytes());
        out.put(&self.current.to_bytes()).put(&self.committed.to_bytes()).put(&self.launch_tcb.to_bytes());
        for vector in [self.launch_mit_vector, self.current_mit_vector] {
            out.put(&vector.unwrap_or_default().to_le_bytes());
        }
        out.put(&[0; 152]).field("signature.r", &self.signature.r, 72)?.field("signature.s", &self.signature.s, 72)?;
        out.0.resize(REPORT, 0);
        Ok(out.0)
    }
}

impl SnpTcb {
    const fn to_bytes(self) -> [u8; 8] {
        let Self { fmc, bootloader, tee, snp, microcode } = self;
        match fmc {
            Some(fmc) => [fmc, bootloader, tee, snp, 0, 0, 0, microcode],
            None => [bootloader, tee, 0, 0, 0, 0, snp, microcode],
        }
    }
}

impl SnpVersion {
    const fn to_bytes(self) -> [u8; 4] {
        [self.build, self.minor, self.major, 0]
    }
}

/// The bytes so far.
struct Layout(Vec<u8>);

impl Layout {
    fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn field(&mut self, field: &'static str, bytes: &[u8], expected: usize) -> Result<&mut Self, WrongSize> {
        if bytes.len() != expected {
            return Err(WrongSize { field, expected, actual: bytes.len() });
        }
        Ok(self.put(bytes))
    }
}

/// A signed attestation result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// An EAR, as JWT.
    pub token: String,
}

/// A resource, encrypted (RFC 7516, "Flattened JWE JSON Serialization").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwe {
    /// The header: in base64url, as everything here.
    pub protected: String,
    /// The key of the content, for the guest's key.
    pub encrypted_key: String,
    /// 12 bytes.
    pub iv: String,
    /// The content.
    pub ciphertext: String,
    /// 16 bytes.
    pub tag: String,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorInformation {
    /// A word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The reason, for people.
    pub detail: String,
}
