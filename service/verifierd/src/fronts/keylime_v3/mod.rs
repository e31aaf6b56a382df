// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's REST interface, version 3.0: agents that push. It is served beside the versions 2, on the same ports.

mod attestations;
mod caller;
mod reply;
mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::{get, patch, post};

use crate::app::App;

/// The largest request that opens a session, or says what an agent can show.
const SMALL_BODY: usize = 64 << 10;
/// The largest evidence: a list of a hundred thousand files.
const EVIDENCE_BODY: usize = 64 << 20;

/// What agents may ask the verifier, and tenants of what agents showed.
pub(crate) fn verifier() -> Router<Arc<App>> {
    let small = Router::new()
        .route("/{version}/sessions", post(sessions::open))
        .route("/{version}/sessions/{id}", patch(sessions::prove))
        .route("/{version}/agents/{id}/attestations", get(attestations::list).post(attestations::create))
        .layer(DefaultBodyLimit::max(SMALL_BODY));
    let large = Router::new()
        .route("/{version}/agents/{id}/attestations/{index}", get(attestations::show).patch(attestations::submit))
        .layer(DefaultBodyLimit::max(EVIDENCE_BODY));
    small.merge(large).merge(roots())
}

/// How a client of version 3 finds out that it is spoken here.
pub(crate) fn roots() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(|| async { Redirect::temporary("/v3.0/") }))
        .route("/v3/", get(|| async { StatusCode::OK }))
        .route("/v3.0/", get(|| async { StatusCode::OK }))
}
