// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two steps of an attestation: a nonce, and the quote with the logs behind it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use evtpm_api::{QuoteChallenge, RuntimeEvidence, Verdict};

use crate::app::App;
use crate::listener::ChannelBinding;
use crate::refusal::Refusal;
use crate::rounds;

/// `POST /v1/attesters/{id}/challenges`
pub(super) async fn challenge(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<QuoteChallenge>), Refusal> {
    let live = rounds::live(&app, &id).await?;
    Ok((StatusCode::CREATED, Json(rounds::challenge(&app, &live).await?)))
}

/// `PUT /v1/attesters/{id}/evidence`
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(binding): Extension<ChannelBinding>,
    body: Result<Json<RuntimeEvidence>, JsonRejection>,
) -> Result<Json<Verdict>, Refusal> {
    let Json(evidence) = body?;
    let live = rounds::live(&app, &id).await?;
    rounds::answer(&app, live, binding, evidence).await.map(Json)
}
