// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pull agent answers on its port (9002): who it is, its keys, its quotes.
//!
//! ```text
//! GET  /version                                    Versions
//! GET  /v2.6/agent/info                            AgentInfo
//! GET  /v2.6/keys/pubkey                           PublicKey
//! POST /v2.6/keys/ukey            UKey          →  nothing
//! POST /v2.6/keys/vkey            VKey          →  nothing
//! GET  /v2.6/keys/verify?challenge=…               KeyProof
//! GET  /v2.6/quotes/identity?nonce=…               Quote
//! GET  /v2.6/quotes/integrity?nonce=…&mask=…&…     Quote
//! ```

use serde::{Deserialize, Serialize};

use crate::ApiVersion;

/// The answer to `GET /version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The newest: all that Keylime before 2.4 looks at.
    pub supported_version: ApiVersion,
    /// All of them, oldest first. Old agents do not send it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supported_versions: Vec<ApiVersion>,
}

/// The answer to `GET /agent/info` (since 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInfo {
    /// The name under which the agent registered.
    pub agent_uuid: String,
    /// The PCR bank that is quoted: `sha256`…
    pub tpm_hash_alg: String,
    /// The endorsement key's algorithm: `rsa` or `ecc` up to 2.4, `rsa2048`, `ecc256`… since 2.5.
    pub tpm_enc_alg: String,
    /// The attestation key's scheme: `rsassa`, `rsapss`, `ecdsa`…
    pub tpm_sign_alg: String,
    /// The attestation key's handle in the agent's TPM: of no use to anybody else.
    pub ak_handle: u32,
}

/// The answer to `GET /keys/pubkey`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// NK, the key under which U and V travel: SubjectPublicKeyInfo in PEM.
    pub pubkey: String,
}

/// The tenant's half of the payload key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UKey {
    /// HMAC-SHA384(K, agent_uuid) in hexadecimal: shows the agent that U and V belong together.
    pub auth_tag: String,
    /// U under NK (RSA-OAEP with SHA-1), in base64.
    pub encrypted_key: String,
    /// The payload under K: base64 of IV (16 bytes) ‖ AES-256-GCM ciphertext ‖ tag (16 bytes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// The verifier's half of the payload key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VKey {
    /// V under NK (RSA-OAEP with SHA-1), in base64.
    pub encrypted_key: String,
}

/// The answer to `GET /keys/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyProof {
    /// HMAC-SHA384(K, challenge) in hexadecimal.
    pub hmac: String,
}

/// A quote and the logs behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quote {
    /// `r`, then TPMS_ATTEST, TPMT_SIGNATURE and the PCR values, each in base64, with `:` between them.
    pub quote: String,
    /// The PCR bank that is quoted.
    pub hash_alg: String,
    /// As [`AgentInfo::tpm_enc_alg`].
    pub enc_alg: String,
    /// As [`AgentInfo::tpm_sign_alg`].
    pub sign_alg: String,
    /// NK in PEM, whose digest is in PCR 16; left out where the verifier asked for a partial answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pubkey: Option<String>,
    /// When the machine started, in Unix seconds. Keylime's Python agent sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boottime: Option<u64>,
    /// Lines of IMA's ASCII list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ima_measurement_list: Option<String>,
    /// The firmware's event log, binary, in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mb_measurement_list: Option<String>,
    /// The number of the line with which `ima_measurement_list` begins: what was asked for, or 0 where the list is
    /// shorter than that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ima_measurement_list_entry: Option<u64>,
}

/// A revocation message, as the verifier posts it to `/notifications/revocation` of the other agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// JSON text: what happened to whom.
    pub msg: String,
    /// An RSA signature over `msg`, in base64.
    pub signature: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_agent_names_one_version() {
        let versions: Versions = serde_json::from_str(r#"{"supported_version":"2.2"}"#).unwrap();
        assert_eq!(versions.supported_version, ApiVersion::PULL[1]);
        assert_eq!(versions.supported_versions, []);
    }

    #[test]
    fn a_partial_quote_has_no_empty_fields() {
        let quote = Quote { quote: "rQQ==:Qg==:Qw==".into(), hash_alg: "sha256".into(), ..Quote::default() };
        assert_eq!(
            serde_json::to_string(&quote).unwrap(),
            r#"{"quote":"rQQ==:Qg==:Qw==","hash_alg":"sha256","enc_alg":"","sign_alg":""}"#
        );
    }

    #[test]
    fn fields_of_a_newer_keylime_are_dropped() {
        let key: VKey = serde_json::from_str(r#"{"encrypted_key":"AA==","colour":"red"}"#).unwrap();
        assert_eq!(key.encrypted_key, "AA==");
    }
}
