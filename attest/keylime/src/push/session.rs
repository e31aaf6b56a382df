// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How an agent gets a token: its attestation key certifies itself (`TPM2_Certify`) over the verifier's challenge.

use serde::{Deserialize, Serialize};

/// The one way to authenticate: class and type.
pub const TPM_POSSESSION: (&str, &str) = ("pop", "tpm_pop");

/// The attributes of `POST /sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpening {
    /// Who wants a session.
    pub agent_id: String,
    /// The ways that the agent knows.
    pub authentication_supported: Vec<AuthenticationOffer>,
}

/// A way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationOffer {
    /// The class, `pop`.
    pub authentication_class: String,
    /// The type, `tpm_pop`.
    pub authentication_type: String,
}

/// The answer's attributes; the session's id stands in the resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionChallenge {
    /// Who asked.
    pub agent_id: String,
    /// What has to be answered.
    pub authentication_requested: Vec<AuthenticationRequest>,
    /// When the challenge was made (RFC 3339).
    pub created_at: String,
    /// When it is worth nothing any more.
    pub challenges_expire_at: String,
}

/// A challenge to be answered in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationRequest {
    /// The way.
    #[serde(flatten)]
    pub way: AuthenticationOffer,
    /// The challenge.
    pub chosen_parameters: ChallengeParameters,
}

/// A challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChallengeParameters {
    /// The qualifying data of `TPM2_Certify`, base64.
    pub challenge: String,
}

/// The attributes of `PATCH /sessions/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionProof {
    /// Who wants the session.
    pub agent_id: String,
    /// The answers.
    pub authentication_provided: Vec<AuthenticationProof>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationProof {
    /// The way.
    #[serde(flatten)]
    pub way: AuthenticationOffer,
    /// The answer itself.
    pub data: Possession,
}

/// What `TPM2_Certify` returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Possession {
    /// TPMS_ATTEST, base64.
    pub message: String,
    /// TPMT_SIGNATURE, base64.
    pub signature: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionResult {
    /// Who answered.
    pub agent_id: String,
    /// `pass` or `fail`; the reason of a failure is not told.
    pub evaluation: String,
    /// The token, after a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Challenge and answer again.
    pub authentication: Vec<AuthenticationResult>,
    /// When the challenge was made (RFC 3339).
    pub created_at: String,
    /// When it was to expire.
    pub challenges_expire_at: String,
    /// When the answer came.
    pub response_received_at: String,
    /// When the token expires, unless an attestation passes before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<String>,
}

/// A challenge with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthenticationResult {
    /// The way.
    #[serde(flatten)]
    pub way: AuthenticationOffer,
    /// The challenge.
    pub chosen_parameters: ChallengeParameters,
    /// The answer.
    pub data: Possession,
}

impl AuthenticationOffer {
    /// The one way there is.
    #[must_use]
    pub fn tpm_possession() -> Self {
        let (class, kind) = TPM_POSSESSION;
        AuthenticationOffer { authentication_class: class.to_owned(), authentication_type: kind.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Document;
    use super::*;

    #[test]
    fn an_opening_is_read_as_agents_write_it() {
        let text = r#"{"data":{"type":"session","attributes":{"agent_id":"a","authentication_supported":
            [{"authentication_class":"pop","authentication_type":"tpm_pop"}]}}}"#;
        let opening: Document<SessionOpening> = serde_json::from_str(text).unwrap();
        let expected = SessionOpening {
            agent_id: "a".into(),
            authentication_supported: vec![AuthenticationOffer::tpm_possession()],
        };
        assert_eq!((opening.data.kind.as_str(), opening.data.attributes), ("session", expected));
    }

    #[test]
    fn a_failed_session_has_no_token_at_all() {
        let result = SessionResult {
            agent_id: "a".into(),
            evaluation: "fail".into(),
            token: None,
            authentication: Vec::new(),
            created_at: "1".into(),
            challenges_expire_at: "2".into(),
            response_received_at: "3".into(),
            token_expires_at: None,
        };
        let text = serde_json::to_string(&result).unwrap();
        assert!(!text.contains("token"), "{text}");
    }
}
