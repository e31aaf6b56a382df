// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a verifier is asked by agents that push (version 3.0): sessions and attestations, in JSON:API's form.
//!
//! ```text
//! POST  /v3.0/sessions                          SessionOpening     →  200 SessionChallenge
//! PATCH /v3.0/sessions/{id}                     SessionProof       →  200 SessionResult, or 401 with one that failed
//! POST  /v3.0/agents/{id}/attestations          Capabilities       →  201 Negotiated, and Location
//! PATCH /v3.0/agents/{id}/attestations/{index}  CollectedEvidence  →  202 AttestationState, meta.seconds_to_next_attestation
//! GET   /v3.0/agents/{id}/attestations[/{index}]                   AttestationState
//! ```
//!
//! `{index}` may be `latest`. What attestations ask for needs `Authorization: Bearer TOKEN` with the token of a session.
//! The words and shapes are those of `keylime/web/verifier` and `keylime/models/verifier` in Keylime 7.14.3, and of
//! `keylime/src/structures` in its Rust agent 0.2.9; where the two disagree with Keylime's documents, they are right:
//! `selected_subjects` is a map of banks to lists, `subject_data` is the PCR blob of [`crate::quote`] in base64.

mod attestation;
mod json_api;
mod session;

pub use attestation::{
    AttestationState, Capabilities, CertificationCapabilities, CertificationData, CertificationKey,
    CertificationParameters, CollectedEvidence, EvidenceCollected, EvidenceRequested, EvidenceState, EvidenceSupported,
    LogCapabilities, LogData, LogParameters, Negotiated, SystemInfo,
};
pub use json_api::{ApiError, Collection, Document, ErrorSource, Errors, JSON_API, JsonApi, Links, Meta, Resource};
pub use session::{
    AuthenticationOffer, AuthenticationProof, AuthenticationRequest, AuthenticationResult, ChallengeParameters,
    Possession, SessionChallenge, SessionOpening, SessionProof, SessionResult, TPM_POSSESSION,
};
