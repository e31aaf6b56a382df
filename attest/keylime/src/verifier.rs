// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a verifier is asked on its port 8881, in pull mode.
//!
//! ```text
//! POST   /v2.6/agents/{id}             AddAgent             →  nothing
//! GET    /v2.6/agents/{id}                                     AgentStatus
//! GET    /v2.6/agents                                          AgentIds, or with ?bulk=1 a map of AgentStatus
//! PUT    /v2.6/agents/{id}/reactivate, …/stop                  nothing
//! DELETE /v2.6/agents/{id}                                     nothing
//! POST, PUT, GET, DELETE /v2.6/allowlists/{name}               RuntimePolicyRequest, NamedRuntimePolicy
//! POST, PUT, GET, DELETE /v2.6/mbpolicies/{name} BootPolicyRequest, NamedBootPolicy
//! GET    /v2.6/verify/identity?agent_uuid=…&quote=…&nonce=…&hash_alg=…  IdentityVerdict
//! POST   /v2.6/verify/evidence         EvidenceRequest      →  EvidenceVerdict
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::registrar::Port;
use crate::tee::{SnpReportClaims, TeeEvidence};

/// The states of an agent in pull mode, by Keylime's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum OperationalState {
    /// Known to the registrar.
    Registered,
    /// Added; its first quote is due.
    Start,
    /// Kept.
    Saved,
    /// Quoted when its time comes.
    GetQuote,
    /// It did not answer and is asked again.
    GetQuoteRetry,
    /// It gets its half of the key.
    ProvideV,
    /// It did not take its half of the key and gets it again.
    ProvideVRetry,
    /// Its evidence failed.
    Failed,
    /// An operator stopped it.
    Terminated,
    /// Its quote did not verify.
    InvalidQuote,
    /// The tenant's own look at it failed.
    TenantFailed,
}

impl OperationalState {
    const ALL: [OperationalState; 11] = [
        Self::Registered,
        Self::Start,
        Self::Saved,
        Self::GetQuote,
        Self::GetQuoteRetry,
        Self::ProvideV,
        Self::ProvideVRetry,
        Self::Failed,
        Self::Terminated,
        Self::InvalidQuote,
        Self::TenantFailed,
    ];
}

impl TryFrom<u8> for OperationalState {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        Self::ALL.get(usize::from(number)).copied().ok_or_else(|| format!("{number} is no operational state"))
    }
}

impl From<OperationalState> for u8 {
    fn from(state: OperationalState) -> Self {
        state as u8
    }
}

/// A tenant's order to watch an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddAgent {
    /// The verifier's half of the key, base64.
    #[serde(default)]
    pub v: Option<String>,
    /// Where the agent is.
    #[serde(default)]
    pub cloudagent_ip: Option<String>,
    /// Its port.
    #[serde(default)]
    pub cloudagent_port: Option<Port>,
    /// The verifier, as the tenant knows it.
    #[serde(default)]
    pub verifier_ip: Option<String>,
    /// Its port.
    #[serde(default)]
    pub verifier_port: Option<Port>,
    /// JSON in text: PCR numbers to lists of accepted values, and `mask`.
    pub tpm_policy: String,
    /// The runtime policy, base64 of JSON.
    #[serde(default)]
    pub runtime_policy: Option<String>,
    /// Its name.
    #[serde(default)]
    pub runtime_policy_name: Option<String>,
    /// The key that signed it, where it is signed.
    #[serde(default)]
    pub runtime_policy_key: Option<String>,
    /// The measured boot reference state, JSON in text.
    #[serde(default)]
    pub mb_policy: Option<String>,
    /// Its name.
    #[serde(default)]
    pub mb_policy_name: Option<String>,
    /// Keys that sign files, JSON in text.
    #[serde(default)]
    pub ima_sign_verification_keys: Option<String>,
    /// What the tenant wants to find again in notifications, JSON in text.
    #[serde(default)]
    pub metadata: Option<String>,
    /// The private key that signs revocations, PEM.
    #[serde(default)]
    pub revocation_key: Option<String>,
    /// Hashes that quotes may be made with.
    #[serde(default)]
    pub accept_tpm_hash_algs: Vec<String>,
    /// Kinds of endorsement keys.
    #[serde(default)]
    pub accept_tpm_encryption_algs: Vec<String>,
    /// Signature schemes.
    #[serde(default)]
    pub accept_tpm_signing_algs: Vec<String>,
    /// TPM2B_PUBLIC of the attestation key, base64.
    pub ak_tpm: String,
    /// The agent's certificate, PEM, or `disabled`.
    #[serde(default)]
    pub mtls_cert: Option<String>,
    /// The version of the API that the agent speaks.
    #[serde(default)]
    pub supported_version: Option<String>,
}

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// The state.
    pub operational_state: OperationalState,
    /// The verifier's half of the key.
    pub v: Option<String>,
    /// Where the agent is.
    pub ip: Option<String>,
    /// Its port.
    pub port: Option<Port>,
    /// As it was given.
    pub tpm_policy: String,
    /// As it was given.
    pub meta_data: Option<String>,
    /// 1 if there is a measured boot reference state.
    pub has_mb_refstate: u8,
    /// 1 if there is a runtime policy.
    pub has_runtime_policy: u8,
    /// As it was given.
    pub accept_tpm_hash_algs: Vec<String>,
    /// As it was given.
    pub accept_tpm_encryption_algs: Vec<String>,
    /// As it was given.
    pub accept_tpm_signing_algs: Vec<String>,
    /// The hash of the last quote.
    pub hash_alg: String,
    /// The kind of the agent's endorsement key.
    pub enc_alg: String,
    /// The signature scheme of the last quote.
    pub sign_alg: String,
    /// The verifier's name.
    pub verifier_id: String,
    /// As it was given.
    pub verifier_ip: Option<String>,
    /// As it was given.
    pub verifier_port: Option<Port>,
    /// How bad the last failure is.
    pub severity_level: Option<u8>,
    /// The last failure.
    pub last_event_id: Option<String>,
    /// Good quotes.
    pub attestation_count: u64,
    /// Unix time of the last quote.
    pub last_received_quote: u64,
    /// Unix time of the last good quote.
    pub last_successful_attestation: u64,
    /// `PASS`, `FAIL` or `PENDING`.
    pub attestation_status: String,
    /// Seconds between two quotes, as in `2s`.
    pub attestation_period: String,
    /// Seconds without a quote after which an agent is late.
    pub maximum_attestation_interval: String,
}

/// The agents that are watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedIds {
    /// Each in a list of its own.
    pub uuids: Vec<[String; 1]>,
}

/// A runtime policy under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimePolicyRequest {
    /// The policy, base64 of JSON.
    pub runtime_policy: String,
    /// The key that signed it, where it is signed.
    #[serde(default)]
    pub runtime_policy_key: Option<String>,
}

/// A runtime policy, shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRuntimePolicy {
    /// Its name.
    pub name: String,
    /// A TPM policy that goes with it; none here.
    pub tpm_policy: Option<String>,
    /// The policy, JSON in text.
    pub runtime_policy: String,
}

/// The names of all runtime policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimePolicyNames {
    /// The names.
    #[serde(rename = "runtimepolicy names")]
    pub names: Vec<String>,
}

/// A measured boot reference state under a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootPolicyRequest {
    /// JSON in text.
    pub mb_policy: String,
}

/// A measured boot reference state, shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedBootPolicy {
    /// Its name.
    pub name: String,
    /// JSON in text.
    pub mb_policy: String,
}

/// The names of all measured boot reference states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootPolicyNames {
    /// The names.
    #[serde(rename = "mbpolicy names")]
    pub names: Vec<String>,
}

/// Whether a quote is of an agent's TPM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityVerdict {
    /// 1 if it is.
    pub valid: u8,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Evidence to be judged once, of an agent that nobody watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum EvidenceRequest {
    /// A quote.
    Tpm(Box<TpmEvidence>),
    /// A report of a TEE.
    Tee(TeeEvidence),
}

/// A quote with its logs and what they are judged by. What is missing is empty, as in Keylime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TpmEvidence {
    /// The quote ([`crate::quote::QuoteText`]).
    pub quote: String,
    /// The qualifying data, as text.
    pub nonce: String,
    /// The bank.
    pub hash_alg: String,
    /// TPM2B_PUBLIC of the endorsement key, base64. Nothing in a quote shows it.
    pub tpm_ek: String,
    /// TPM2B_PUBLIC of the attestation key, base64.
    pub tpm_ak: String,
    /// As in an order.
    pub tpm_policy: String,
    /// The runtime policy: JSON in text.
    pub runtime_policy: String,
    /// The measured boot reference state: JSON in text.
    pub mb_policy: String,
    /// IMA's list in ASCII.
    pub ima_measurement_list: String,
    /// The firmware's log, base64.
    pub mb_log: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceVerdict {
    /// Whether it is what the policies ask for.
    pub valid: bool,
    /// Of a quote the evidence again, of a report what it says, if it is valid; `{}` otherwise.
    pub claims: EvidenceClaims,
    /// Why it is not.
    pub failures: Vec<EvidenceFailure>,
}

/// The evidence again, what it says, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EvidenceClaims {
    /// The evidence.
    Tpm(Box<TpmEvidence>),
    /// What the report says.
    Snp(Box<SnpReportClaims>),
    /// Nothing.
    Nothing(crate::Nothing),
}

/// Why evidence is not valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceFailure {
    /// The event.
    #[serde(rename = "type")]
    pub kind: String,
    /// More of it.
    pub context: FailureContext,
}

/// More of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureContext {
    /// A sentence.
    pub message: String,
}

/// The part of a TPM policy that is not a PCR.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TpmPolicy {
    /// The PCRs to quote, as in `0x408000`.
    #[serde(default)]
    pub mask: Option<String>,
    /// Accepted values by PCR number.
    #[serde(flatten)]
    pub values: BTreeMap<String, Vec<String>>,
}

/// A runtime policy's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimePolicy {
    /// Digests in hexadecimal by path.
    #[serde(default)]
    pub digests: BTreeMap<String, Vec<String>>,
    /// Regular expressions for paths that are not judged; each has to match from the path's start.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// Digests of keys by keyring.
    #[serde(default)]
    pub keyrings: BTreeMap<String, Vec<String>>,
    /// Rules for IMA itself.
    #[serde(default)]
    pub ima: ImaRules,
    /// Digests by name of other buffers.
    #[serde(default, rename = "ima-buf")]
    pub ima_buf: BTreeMap<String, Vec<String>>,
    /// Keys that sign files, JSON in text.
    #[serde(default, rename = "verification-keys")]
    pub verification_keys: Option<String>,
}

/// Rules for IMA itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImaRules {
    /// Keyrings whose keys are not judged; `*` is all.
    #[serde(default)]
    pub ignored_keyrings: Vec<String>,
    /// The hash of the list's own entries.
    #[serde(default)]
    pub log_hash_alg: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_keylime_s_numbers() {
        assert_eq!(serde_json::to_string(&OperationalState::GetQuote).unwrap(), "3");
        assert_eq!(serde_json::from_str::<OperationalState>("9").unwrap(), OperationalState::InvalidQuote);
        assert!(serde_json::from_str::<OperationalState>("11").is_err());
    }

    #[test]
    fn a_tpm_policy_has_values_beside_its_mask() {
        let policy: TpmPolicy = serde_json::from_str(r#"{"22":["00","ff"],"mask":"0x400400"}"#).unwrap();
        assert_eq!(policy.mask.as_deref(), Some("0x400400"));
        assert_eq!(policy.values["22"], ["00", "ff"]);
    }

    #[test]
    fn a_runtime_policy_may_leave_everything_out() {
        let policy: RuntimePolicy = serde_json::from_str(r#"{"meta":{"version":1},"release":0}"#).unwrap();
        assert_eq!(policy, RuntimePolicy::default());
    }
}
