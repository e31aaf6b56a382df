// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `/v3.0/sessions`: how an agent comes to a token.

use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use evtpm_keylime::push::{
    AuthenticationOffer, AuthenticationRequest, AuthenticationResult, ChallengeParameters, Document, Possession,
    SessionChallenge, SessionOpening, SessionProof, SessionResult,
};
use serde::Deserialize;

use super::caller::Version;
use super::reply::{Attributes, Kind, Said};
use crate::app::{App, instant};
use crate::keylime::push::{self, Opened, Proof, Turned, rfc3339};
use crate::keylime::rounds::milliseconds;
use crate::listener::ClientAddress;

/// The resource's type.
const SESSION: &str = "session";

impl Kind for SessionOpening {
    const KIND: &'static str = SESSION;
}

impl Kind for SessionProof {
    const KIND: &'static str = SESSION;
}

/// `POST /v3.0/sessions`
pub(super) async fn open(
    State(app): State<Arc<App>>,
    _version: Version,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    Attributes(opening): Attributes<SessionOpening>,
) -> Result<Said<Document<SessionChallenge>>, Turned> {
    app.keylime.openings.count(address, &opening.agent_id, instant()).map_err(|seconds| {
        Turned::new(429, "too_many_requests", "Rate limit exceeded. Please try again later.").after(seconds)
    })?;
    if !opening.authentication_supported.contains(&AuthenticationOffer::tpm_possession()) {
        let detail = "authentication_supported must include tpm_pop authentication type";
        return Err(Turned::new(400, "bad_request", detail));
    }
    let (id, opened) = push::open(&app, &opening.agent_id).await?;
    let challenge = SessionChallenge {
        agent_id: opened.agent,
        authentication_requested: vec![AuthenticationRequest {
            way: AuthenticationOffer::tpm_possession(),
            chosen_parameters: ChallengeParameters { challenge: opened.challenge },
        }],
        created_at: rfc3339(opened.created_at),
        challenges_expire_at: rfc3339(opened.expires_at),
    };
    let mut document = Document::new(SESSION, challenge);
    document.data.id = Some(id);
    Ok(Said(StatusCode::OK, document))
}

#[derive(Debug, Deserialize)]
pub(super) struct SessionInPath {
    id: String,
}

/// `PATCH /v3.0/sessions/{id}`
pub(super) async fn prove(
    State(app): State<Arc<App>>,
    _version: Version,
    Path(SessionInPath { id }): Path<SessionInPath>,
    Attributes(proof): Attributes<SessionProof>,
) -> Result<Said<Document<SessionResult>>, Turned> {
    let received_at = milliseconds();
    let given =
        proof.authentication_provided.into_iter().find(|given| given.way == AuthenticationOffer::tpm_possession());
    let possession = given.map(|given| given.data);
    let (opened, outcome) = push::prove(&app, &id, &proof.agent_id, possession.as_ref()).await?;
    let (status, token) = match outcome {
        Proof::Good { token, expires_at } => (StatusCode::OK, Some((token, expires_at))),
        Proof::Bad => (StatusCode::UNAUTHORIZED, None),
        Proof::Void => (StatusCode::OK, None),
    };
    let mut document = Document::new(SESSION, result(opened, possession, received_at, token));
    document.data.id = Some(id);
    Ok(Said(status, document))
}

fn result(
    opened: Opened,
    possession: Option<Possession>,
    received_at: u64,
    token: Option<(String, u64)>,
) -> SessionResult {
    let nothing = || Possession { message: String::new(), signature: String::new() };
    let evaluation = if token.is_some() { "pass" } else { "fail" };
    let (token, expires_at) = token.unzip();
    SessionResult {
        agent_id: opened.agent,
        evaluation: evaluation.to_owned(),
        token,
        authentication: vec![AuthenticationResult {
            way: AuthenticationOffer::tpm_possession(),
            chosen_parameters: ChallengeParameters { challenge: opened.challenge },
            data: possession.unwrap_or_else(nothing),
        }],
        created_at: rfc3339(opened.created_at),
        challenges_expire_at: rfc3339(opened.expires_at),
        response_received_at: rfc3339(received_at),
        token_expires_at: expires_at.map(rfc3339),
    }
}
