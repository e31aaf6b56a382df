// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two steps to a key of the broker: a nonce, and the certificate that answers it; and what became of the leases.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use evtpm_api::Lease;
use evtpm_api::broker::{KeyChallenge, KeyRequest, ReleasedKey};

use crate::app::App;
use crate::keys::{leases, release};
use crate::listener::ChannelBinding;
use crate::refusal::Refusal;
use crate::rounds;

/// `POST /v1/attesters/{id}/keys/{name}/challenges`
pub(super) async fn challenge(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
) -> Result<(StatusCode, Json<KeyChallenge>), Refusal> {
    Ok((StatusCode::CREATED, Json(release::challenge(&app, &id, &name).await?)))
}

/// `PUT /v1/attesters/{id}/keys/{name}`
pub(super) async fn release(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    Extension(binding): Extension<ChannelBinding>,
    body: Result<Json<KeyRequest>, JsonRejection>,
) -> Result<Json<ReleasedKey>, Refusal> {
    let Json(request) = body?;
    release::release(&app, &id, &name, binding, request).await.map(Json)
}

/// `GET /v1/attesters/{id}/leases`
pub(super) async fn leases(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<Vec<Lease>>, Refusal> {
    let live = rounds::live(&app, &id).await?;
    leases::of(&app, &live.machine, Some(&id)).await.map(Json)
}
