// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence of a TEE (`POST /v2.6/verify/evidence`, type `tee`): an SEV-SNP report over a key and a nonce.

use serde::{Deserialize, Serialize};

/// A report, and what has to be in its REPORT_DATA: SHA-512 over both coordinates and the nonce. What is missing is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TeeEvidence {
    /// The report.
    #[serde(rename = "tee-evidence")]
    pub tee_evidence: TypedEvidence,
    /// The nonce, base64.
    pub nonce: String,
    /// A coordinate of the guest's key, base64url without padding.
    #[serde(rename = "tee-pubkey-x-b64")]
    pub tee_pubkey_x: String,
    /// The other one.
    #[serde(rename = "tee-pubkey-y-b64")]
    pub tee_pubkey_y: String,
}

/// Evidence of one kind of TEE.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypedEvidence {
    /// `snp`.
    pub tee: String,
    /// The evidence itself.
    pub evidence: SnpEvidence,
}

/// What a guest of SEV-SNP shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SnpEvidence {
    /// The report as the processor gave it, base64.
    #[serde(rename = "snp-report")]
    pub snp_report: String,
}

/// What a believed report says; numbers as bytes, as Keylime writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnpReportClaims {
    /// The launch measurement.
    pub measurement: Vec<u8>,
    /// REPORT_DATA.
    pub report_data: Vec<u8>,
    /// HOST_DATA.
    pub host_data: Vec<u8>,
    /// Simultaneous multithreading is on.
    pub platform_smt_enabled: bool,
    /// All memory is encrypted.
    pub platform_tsme_enabled: bool,
    /// The boot loader's version in REPORTED_TCB.
    pub reported_tcb_bootloader: u8,
    /// The secure processor's operating system's.
    pub reported_tcb_tee: u8,
    /// The SNP firmware's.
    pub reported_tcb_snp: u8,
    /// The microcode's.
    pub reported_tcb_microcode: u8,
    /// The least ABI version that the guest's policy accepts.
    pub policy_abi_major: u8,
    /// Its minor part.
    pub policy_abi_minor: u8,
    /// The guest may run with multithreading.
    pub policy_smt_allowed: bool,
    /// A migration agent may be associated.
    pub policy_migrate_ma: bool,
    /// The host may debug the guest.
    pub policy_debug_allowed: bool,
    /// The guest runs on one socket alone.
    pub policy_single_socket: bool,
}
