// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a registrar is asked: by agents on its port 8890, by tenants on 8891.
//!
//! ```text
//! GET    /version                                              ServerVersions
//! POST   /v2.6/agents/{id}             Registration         →  RegistrationBlob
//! PUT    /v2.6/agents/{id}             Activation           →  nothing      (also …/activate, and POST …/activate)
//! POST   /v3.0/agents                  NamedRegistration    →  RegistrationBlob
//! POST   /v3.0/agents/{id}/activate    Activation           →  nothing
//! GET    /v2.6/agents                                          AgentIds
//! GET    /v2.6/agents/{id}                                     RegisteredAgent
//! DELETE /v2.6/agents/{id}                                     nothing
//! ```

use serde::{Deserialize, Serialize};

use crate::ApiVersion;

/// Which versions a server speaks; an agent's answer has other names ([`crate::agent::Versions`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerVersions {
    /// The one it likes best.
    pub current_version: ApiVersion,
    /// All of them.
    pub supported_versions: Vec<ApiVersion>,
}

/// What an agent says of itself and its TPM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// TPM2B_PUBLIC of the endorsement key, base64.
    pub ek_tpm: String,
    /// TPM2B_PUBLIC of the attestation key, base64.
    pub aik_tpm: String,
    /// What lies at the endorsement key certificate's NV index, base64: a DER certificate, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ekcert: Option<String>,
    /// The agent's own certificate in PEM, or `disabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtls_cert: Option<String>,
    /// Where the agent can be asked; null of one that pushes, as tenants do not take an answer without it.
    #[serde(default)]
    pub ip: Option<String>,
    /// Its port.
    #[serde(default)]
    pub port: Option<Port>,
    /// What its device's maker certified, if it says so.
    #[serde(flatten)]
    pub device: DeviceKeys,
}

/// A device's initial attestation key (IAK) and initial identity (IDevID), their certificates, and what the IAK says of the
/// attestation key: all of it, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceKeys {
    /// TPM2B_PUBLIC of the IAK, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iak_tpm: Option<String>,
    /// The IAK's certificate, DER in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iak_cert: Option<String>,
    /// TPM2B_PUBLIC of the IDevID, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idevid_tpm: Option<String>,
    /// The IDevID's certificate, DER in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idevid_cert: Option<String>,
    /// TPMS_ATTEST by which the IAK certified the attestation key, base64. Its qualifying data are SHA-256 of the agent's id since
    /// version 2.6, the id itself before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iak_attest: Option<String>,
    /// The IAK's TPMT_SIGNATURE over it, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iak_sign: Option<String>,
}

/// A registration whose path names nobody (version 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRegistration {
    /// The agent's id.
    pub agent_id: String,
    /// What it says.
    #[serde(flatten)]
    pub registration: Registration,
}

/// A port, as a number or as text: agents and tenants write both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WirePort", into = "u16")]
pub struct Port(pub u16);

#[derive(Deserialize)]
#[serde(untagged)]
enum WirePort {
    Number(u16),
    Text(String),
}

impl TryFrom<WirePort> for Port {
    type Error = core::num::ParseIntError;

    fn try_from(port: WirePort) -> Result<Self, Self::Error> {
        match port {
            WirePort::Number(port) => Ok(Port(port)),
            WirePort::Text(text) => text.parse().map(Port),
        }
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        port.0
    }
}

/// The challenge to a registration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationBlob {
    /// A credential in the file format of tpm2-tools, base64 ([`credential_file`]).
    pub blob: String,
}

/// The proof that the agent's TPM opened the credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    /// HMAC-SHA384 of the agent's id, under the secret in base64 (as text), in hexadecimal.
    pub auth_tag: String,
}

/// The agents that are registered and active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentIds {
    /// Their ids.
    pub uuids: Vec<String>,
}

/// An active agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredAgent {
    /// Its id.
    pub agent_id: String,
    /// What it registered with.
    #[serde(flatten)]
    pub registration: Registration,
    /// How often it registered.
    pub regcount: u64,
}

/// Puts a credential into the file format of tpm2-tools (`tpm2_makecredential -o`): a magic word, the version, both
/// structures with their sizes.
#[must_use]
pub fn credential_file(id_object: &[u8], encrypted_secret: &[u8]) -> Vec<u8> {
    const MAGIC: u32 = 0xBADC_C0DE;
    const VERSION: u32 = 1;
    [&MAGIC.to_be_bytes(), VERSION.to_be_bytes().as_slice(), id_object, encrypted_secret].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_text() {
        let registration = |port: &str| {
            serde_json::from_str::<Registration>(&format!(r#"{{"ek_tpm":"","aik_tpm":"","port":{port}}}"#))
        };
        assert_eq!(registration("9002").unwrap().port, Some(Port(9002)));
        assert_eq!(registration(r#""9002""#).unwrap().port, Some(Port(9002)));
        assert_eq!(registration("null").unwrap().port, None);
        assert!(registration(r#""http""#).is_err());
    }

    #[test]
    fn an_agent_is_shown_as_it_registered() {
        let agent = RegisteredAgent {
            agent_id: "a".into(),
            registration: Registration {
                ek_tpm: "AA==".into(),
                aik_tpm: "AQ==".into(),
                ekcert: None,
                mtls_cert: Some("disabled".into()),
                ip: Some("127.0.0.1".into()),
                port: Some(Port(9002)),
                device: DeviceKeys::default(),
            },
            regcount: 2,
        };
        assert_eq!(
            serde_json::to_string(&agent).unwrap(),
            r#"{"agent_id":"a","ek_tpm":"AA==","aik_tpm":"AQ==","mtls_cert":"disabled","ip":"127.0.0.1","port":9002,"regcount":2}"#
        );
    }

    #[test]
    fn a_null_is_as_good_as_nothing_where_a_device_has_no_certified_keys() {
        // As Keylime's Rust agent writes it.
        let text = r#"{"ek_tpm":"","aik_tpm":"","iak_cert":null,"idevid_cert":null}"#;
        assert_eq!(serde_json::from_str::<Registration>(text).unwrap(), Registration::default());
    }

    #[test]
    fn a_credential_file_begins_as_tpm2_tools_write_it() {
        assert_eq!(credential_file(&[0, 1, 7], &[0, 0])[..9], [0xBA, 0xDC, 0xC0, 0xDE, 0, 0, 0, 1, 0]);
    }
}
