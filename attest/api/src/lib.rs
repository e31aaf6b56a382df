// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The JSON that agents and verifiers exchange: the native API, version 1.
//!
//! ```text
//! POST /v1/registrations                        RegistrationRequest → RegistrationOpened   (a nonce for the chip)
//! PUT  /v1/registrations/{id}/evidence          LaunchEvidence      → CredentialChallenge  (EK believed, AK challenged)
//! PUT  /v1/registrations/{id}/proof             CredentialProof     → Registered           (AK believed)
//! POST /v1/attesters/{id}/challenges            –                   → QuoteChallenge
//! PUT  /v1/attesters/{id}/evidence              RuntimeEvidence     → Verdict
//! ```
//! A key broker's requests are in [`broker`].
//! What administrators ask and say is described by the OpenAPI document that a verifier serves at `/v1/openapi.json`.
//! Every error is an [`ApiError`]. Binary fields are base64 (standard alphabet, padded); unknown fields are refused.
#![forbid(unsafe_code)]

mod admin;
pub mod broker;
mod bytes;
mod inspection;
pub mod kbs;
mod keys;

pub use admin::{
    AuditLine, BootSummary, ChainHead, Event, MachineDetails, MachineRequest, MachineSummary, NewToken, PolicySummary,
    TokenRequest, TokenSummary,
};
pub use bytes::Bytes;
pub use inspection::{
    AcceptRequest, AcceptedFile, BootLogEvent, BootLogPage, BootLogRegister, ChainLink, FleetPage, FleetStates,
    ImaEntry, ImaPage, LinkBytes, LinkField, LinkState, MachineChain, PlatformSummary, PolicyEffect, Session,
    SessionRequest, TcbComponent, VerdictChange,
};
pub use keys::{GrantChange, Grants, KeyKind, KeySummary, Lease, NewKey, NewResource, ResourceSummary};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The path that every request begins with.
pub const PREFIX: &str = "/v1";

/// The exporter label of the channel binding `tls-exporter` (RFC 9266, "The 'tls-exporter' Channel Binding Type").
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Bytes of the channel binding (RFC 9266: "a 32-byte (256-bit) exporter").
pub const EXPORTER_SIZE: usize = 32;

/// What is hashed before the nonce and the channel binding to make a quote's qualifying data.
pub const QUALIFYING_LABEL: &[u8] = b"evtpm quote v1\0";

/// Opens a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistrationRequest {
    /// The name that the operator knows the machine by: 1 to 64 of `a-z A-Z 0-9 . _ -`.
    pub machine: String,
}

/// The answer to [`RegistrationRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationOpened {
    /// Names the registration in the requests that follow.
    pub registration: String,
    /// 64 bytes for the report, where the SVSM can be asked for one (SVSM attestation protocol).
    pub nonce: Bytes,
    /// Seconds until the registration is forgotten.
    pub expires_in: u64,
}

/// What vouches for the endorsement key, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// REPORT_DATA = SHA-512(TPM2B_PUBLIC of the EK): the report that lies at the EK certificate's NV index.
    NvReport,
    /// REPORT_DATA = SHA-512(nonce ‖ manifest), manifest version 0.
    SvsmV0,
    /// REPORT_DATA = SHA-512(nonce ‖ manifest), manifest version 1.
    SvsmV1,
    /// A TPM vendor's certificate names the key: no report says what was launched.
    EkCertificate,
    /// REPORT_DATA = SHA-256(runtime claims), then zeros: the claims of Azure's paravisor name both keys.
    AzureHcl,
}

/// What the chip says of the launched machine, and the keys of its TPM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchEvidence {
    /// How `report`, or another field, commits to `ek_public`.
    pub binding: Binding,
    /// The SEV-SNP attestation report, 1184 bytes; of Azure's paravisor, its whole report with the claims.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub report: Bytes,
    /// The endorsement key's certificate (DER), for its binding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ek_certificate: Option<Bytes>,
    /// The services manifest, for the SVSM bindings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Bytes>,
    /// The host's certificate table, if the agent has one; the verifier may have the certificates itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Bytes>,
    /// TPM2B_PUBLIC of the endorsement key.
    pub ek_public: Bytes,
    /// TPM2B_PUBLIC of the attestation key.
    pub ak_public: Bytes,
}

/// A credential that only the TPM with both keys can open (`TPM2_ActivateCredential`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialChallenge {
    /// TPM2B_ID_OBJECT.
    pub credential: Bytes,
    /// TPM2B_ENCRYPTED_SECRET.
    pub secret: Bytes,
}

/// The secret that was in the credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialProof {
    /// The bytes that `TPM2_ActivateCredential` gave.
    pub secret: Bytes,
}

/// The attestation key is believed from now on, for this boot of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    /// Names the attester (this boot) in the requests that follow.
    pub attester: String,
    /// The machine that this boot belongs to.
    pub machine: String,
    /// The number of the boot, counted by the verifier from 1.
    pub boot: u64,
}

/// PCRs of one bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BankSelection {
    /// `sha1`, `sha256`, `sha384` or `sha512`.
    pub bank: String,
    /// Indices 0 to 23, rising.
    pub pcrs: Vec<u8>,
}

/// Asks for a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteChallenge {
    /// Names the challenge in the evidence.
    pub challenge: String,
    /// 32 fresh bytes.
    pub nonce: Bytes,
    /// The PCRs to quote, in this order.
    pub selection: Vec<BankSelection>,
    /// Whether the logs are wanted from the boot on. Once they were judged at an earlier quote, the event log is not
    /// wanted again, nor the IMA list's entries before `ima_from`.
    #[serde(default = "wanted")]
    pub event_log: bool,
    /// The entry of the IMA list to begin with: earlier ones were judged before. 0 is the whole list.
    #[serde(default)]
    pub ima_from: u64,
    /// Seconds until the nonce is worth nothing.
    pub expires_in: u64,
}

/// A quote and the logs behind it.
///
/// The quote's qualifying data is
/// SHA-256([`QUALIFYING_LABEL`] ‖ nonce ‖ channel binding), the binding being the exporter of the TLS connection
/// that the evidence travels on (rule 17: no relay).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeEvidence {
    /// The challenge that is answered.
    pub challenge: String,
    /// TPMS_ATTEST.
    pub message: Bytes,
    /// TPMT_SIGNATURE.
    pub signature: Bytes,
    /// The values of the quoted PCRs, in the order of the selection.
    pub pcrs: Vec<Bytes>,
    /// The firmware's event log; empty where the firmware kept none, or the challenge does not want it.
    #[serde(default)]
    pub event_log: Bytes,
    /// IMA's list in binary form, from entry `ima_from` on.
    #[serde(default)]
    pub ima_log: Bytes,
    /// The number of the first entry in `ima_log`.
    #[serde(default)]
    pub ima_from: u64,
    /// Whether the logs begin with the boot. An agent may always send them whole, whatever the challenge asks for.
    #[serde(default = "wanted")]
    pub whole: bool,
    /// Whether the verdict is wanted as a signed result too; who shows it to nobody saves the verifier a signature.
    #[serde(default = "wanted", skip_serializing_if = "is_wanted")]
    pub result: bool,
}

const fn wanted() -> bool {
    true
}

fn is_empty(bytes: &Bytes) -> bool {
    bytes.0.is_empty()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_wanted(wanted: &bool) -> bool {
    *wanted
}

/// What the verifier concluded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `trusted`, `untrusted`, `unknown` or `stale`.
    pub verdict: String,
    /// One line a finding, worst first.
    pub findings: Vec<ApiFinding>,
    /// The signed attestation result (EAR as a JWT), where it was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ear: Option<String>,
}

/// One reason for a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiFinding {
    /// The check that found it, as in the policy document.
    pub check: String,
    /// The layer that it is about: `snp`, `azure`, `tpm`, `boot`, `runtime`…
    #[serde(default)]
    pub layer: String,
    /// `notice`, `warning`, `stale`, `missing` or `failure`.
    pub severity: String,
    /// A sentence for people.
    pub message: String,
    /// What the policy asks for.
    pub expected: String,
    /// What the evidence says.
    pub actual: String,
    /// What could be done about it.
    pub suggestion: String,
}

/// How a machine is; none of the states stands in for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MachineState {
    /// Nothing was judged since it booted, or the evidence does not speak of what the policy asks.
    Unknown,
    /// Its last evidence is fresh and what the policy asks for.
    Healthy,
    /// Its last evidence contradicts the policy or is forged.
    Failed,
    /// It was healthy, and has been silent for too long.
    Stale,
    /// It was asked and did not answer.
    Unreachable,
}

impl MachineState {
    /// Names the state.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            MachineState::Unknown => "unknown",
            MachineState::Healthy => "healthy",
            MachineState::Failed => "failed",
            MachineState::Stale => "stale",
            MachineState::Unreachable => "unreachable",
        }
    }
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApiError {
    /// A word for programs: `bad-request`, `unknown-registration`, `evidence-refused`…
    pub error: String,
    /// A sentence for people; names the offender, with expected and actual.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_has_a_readable_name() {
        assert_eq!(serde_json::to_string(&Binding::NvReport).unwrap(), "\"nv-report\"");
    }

    #[test]
    fn an_unknown_field_is_refused_by_its_name() {
        let error = serde_json::from_str::<RegistrationRequest>(r#"{"machine":"a","admin":true}"#).unwrap_err();
        assert!(error.to_string().contains("`admin`"), "{error}");
    }
}
