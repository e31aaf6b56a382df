// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One attestation: what the agent can show, what the verifier asks for, what was shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

/// The attributes of `POST …/attestations`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// What the agent can show.
    pub evidence_supported: Vec<EvidenceSupported>,
    /// What it says of its machine.
    #[serde(default)]
    pub system_info: SystemInfo,
}

/// What the agent says of its machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SystemInfo {
    /// When the machine was started (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_time: Option<String>,
}

/// A kind of evidence that the agent can show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "evidence_class", rename_all = "snake_case")]
pub enum EvidenceSupported {
    /// Something that a key signs: `tpm_quote`.
    Certification {
        /// The type.
        evidence_type: String,
        /// How it can be signed.
        capabilities: CertificationCapabilities,
    },
    /// Something that a certification covers: `uefi_log`, `ima_log`.
    Log {
        /// The type.
        evidence_type: String,
        /// How it can be read.
        capabilities: LogCapabilities,
    },
}

/// How evidence can be signed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CertificationCapabilities {
    /// The version of what signs: `2.0` for a TPM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_version: Option<String>,
    /// Signature schemes, as in `ecdsa`.
    pub signature_schemes: Vec<String>,
    /// Hash algorithms, as in `sha256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash_algorithms: Option<Vec<String>>,
    /// PCRs by bank; a bank of none may be left out, or null.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_subjects: Option<BTreeMap<String, Option<Vec<u32>>>>,
    /// The keys.
    pub certification_keys: Vec<CertificationKey>,
}

/// A key that signs evidence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CertificationKey {
    /// `asymmetric`.
    pub key_class: String,
    /// `rsa` or `ecc`, and what else agents write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_algorithm: Option<String>,
    /// In bits.
    pub key_size: u32,
    /// The name by which the verifier knows it: `ak`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_identifier: Option<String>,
    /// The name by which the agent knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_identifier: Option<String>,
    /// TPM2B_PUBLIC, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// The schemes that it can be used with, where not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowable_signature_schemes: Option<Vec<String>>,
    /// The hashes that it can be used with, where not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowable_hash_algorithms: Option<Vec<String>>,
}

/// How a log can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogCapabilities {
    /// The version of the log's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_version: Option<String>,
    /// How many entries it has now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_count: Option<u64>,
    /// Whether it can be read from an entry on.
    #[serde(default)]
    pub supports_partial_access: bool,
    /// Whether it grows.
    #[serde(default)]
    pub appendable: bool,
    /// Media types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formats: Option<Vec<String>>,
}

/// The attributes of the answer: what the verifier wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// `awaiting_evidence`.
    pub stage: String,
    /// The evidence, to be sent in this order.
    pub evidence_requested: Vec<EvidenceRequested>,
    /// As it came.
    pub system_info: SystemInfo,
    /// When the capabilities came (RFC 3339).
    pub capabilities_received_at: String,
    /// When the challenge is worth nothing any more.
    pub challenges_expire_at: String,
}

/// Evidence that the verifier wants to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "evidence_class", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one of each in an attestation")]
pub enum EvidenceRequested {
    /// A signature.
    Certification {
        /// The type.
        evidence_type: String,
        /// Over what.
        chosen_parameters: CertificationParameters,
    },
    /// A log.
    Log {
        /// The type.
        evidence_type: String,
        /// Which part of it.
        chosen_parameters: LogParameters,
    },
}

/// What has to be signed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CertificationParameters {
    /// The qualifying data, base64.
    pub challenge: String,
    /// The scheme.
    pub signature_scheme: String,
    /// The hash of the scheme, and the bank; Keylime names none where no PCR is wanted.
    #[serde(default)]
    pub hash_algorithm: String,
    /// PCRs by bank; Keylime writes null where a bank has none.
    #[serde(deserialize_with = "null_is_none")]
    pub selected_subjects: BTreeMap<String, Vec<u32>>,
    /// The key.
    pub certification_key: CertificationKey,
}

fn null_is_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Vec<u32>>, D::Error> {
    let subjects: BTreeMap<String, Option<Vec<u32>>> = Deserialize::deserialize(deserializer)?;
    Ok(subjects.into_iter().map(|(bank, registers)| (bank, registers.unwrap_or_default())).collect())
}

/// Which part of a log has to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogParameters {
    /// The number of the first entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting_offset: Option<u64>,
    /// How many entries at most; all where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_count: Option<u64>,
    /// The media type.
    pub format: String,
}

/// The attributes of `PATCH …/attestations/{index}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectedEvidence {
    /// What was asked for, in that order.
    pub evidence_collected: Vec<EvidenceCollected>,
}

/// Evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "evidence_class", rename_all = "snake_case")]
pub enum EvidenceCollected {
    /// A signature.
    Certification {
        /// The type.
        evidence_type: String,
        /// The signature with what it is over.
        data: CertificationData,
    },
    /// A log.
    Log {
        /// The type.
        evidence_type: String,
        /// The entries.
        data: LogData,
    },
}

/// A signature with what it is over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CertificationData {
    /// The PCR blob ([`crate::quote::PcrBlob`]), base64.
    #[serde(default)]
    pub subject_data: String,
    /// TPMS_ATTEST, base64.
    pub message: String,
    /// TPMT_SIGNATURE, base64.
    pub signature: String,
}

/// Entries of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogData {
    /// How many they are said to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_count: Option<u64>,
    /// IMA's lines, or the firmware's log in base64. Our verifier does not keep them, and answers null.
    pub entries: Option<String>,
}

/// The attributes of an attestation, at any stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttestationState {
    /// `awaiting_evidence`, `evaluating_evidence` or `verification_complete`.
    pub stage: String,
    /// `pending`, `pass` or `fail`; not told to the agent that just sent its evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// `broken_evidence_chain` or `policy_violation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// What was negotiated and shown.
    pub evidence: Vec<EvidenceState>,
    /// As it came.
    pub system_info: SystemInfo,
    /// When the capabilities came (RFC 3339).
    pub capabilities_received_at: String,
    /// When the challenge was to expire.
    pub challenges_expire_at: String,
    /// When the evidence came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_received_at: Option<String>,
    /// When the verdict stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_completed_at: Option<String>,
}

/// One piece of evidence with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "evidence_class", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there is one of each in an attestation")]
pub enum EvidenceState {
    /// A signature.
    Certification {
        /// The type.
        evidence_type: String,
        /// How it could be signed.
        capabilities: CertificationCapabilities,
        /// What was asked for.
        chosen_parameters: CertificationParameters,
        /// What came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<CertificationData>,
    },
    /// A log.
    Log {
        /// The type.
        evidence_type: String,
        /// How it could be read.
        capabilities: LogCapabilities,
        /// What was asked for.
        chosen_parameters: LogParameters,
        /// What came.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<LogData>,
    },
}

impl EvidenceState {
    /// Returns what was asked for.
    #[must_use]
    pub fn requested(&self) -> EvidenceRequested {
        match self.clone() {
            Self::Certification { evidence_type, chosen_parameters, .. } => {
                EvidenceRequested::Certification { evidence_type, chosen_parameters }
            }
            Self::Log { evidence_type, chosen_parameters, .. } => {
                EvidenceRequested::Log { evidence_type, chosen_parameters }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certification_and_a_log_are_told_apart_by_their_class() {
        let text = r#"{"evidence_supported":[
            {"evidence_class":"certification","evidence_type":"tpm_quote","capabilities":{"component_version":"2.0",
             "hash_algorithms":["sha256"],"signature_schemes":["ecdsa"],"available_subjects":{"sha256":[0,1],"sha1":null},
             "certification_keys":[{"key_class":"asymmetric","key_size":256,"server_identifier":"ak","more":1}]}},
            {"evidence_class":"log","evidence_type":"ima_log","capabilities":{"entry_count":20,
             "supports_partial_access":true,"appendable":true,"formats":["text/plain"]}}],
            "system_info":{"boot_time":"2024-11-12T16:21:17Z"}}"#;
        let capabilities: Capabilities = serde_json::from_str(text).unwrap();
        let [EvidenceSupported::Certification { capabilities: quote, .. }, EvidenceSupported::Log { .. }] =
            capabilities.evidence_supported.as_slice()
        else {
            panic!("{capabilities:?}")
        };
        let banks = quote.available_subjects.as_ref().unwrap();
        assert_eq!((banks["sha256"].as_deref(), banks["sha1"].as_deref()), (Some([0, 1].as_slice()), None));
        assert!(serde_json::from_str::<EvidenceSupported>(r#"{"evidence_class":"dream"}"#).is_err());
    }

    #[test]
    fn a_log_s_parameters_have_no_empty_fields() {
        let requested = EvidenceRequested::Log {
            evidence_type: "uefi_log".into(),
            chosen_parameters: LogParameters { format: "application/octet-stream".into(), ..LogParameters::default() },
        };
        assert_eq!(
            serde_json::to_string(&requested).unwrap(),
            r#"{"evidence_class":"log","evidence_type":"uefi_log","chosen_parameters":{"format":"application/octet-stream"}}"#
        );
    }
}
