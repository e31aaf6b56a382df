// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the operator asks: which machines there are, and how they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use evtpm_api::MachineSummary;
use evtpm_crypto::constant_time_eq;

use crate::app::{App, now};
use crate::refusal::Refusal;

/// `GET /v1/machines`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Json<Vec<MachineSummary>>, Refusal> {
    check_administrator(&app, &headers)?;
    Ok(Json(app.store().machines(None, now().0)?))
}

/// `GET /v1/machines/{name}`
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<MachineSummary>, Refusal> {
    check_administrator(&app, &headers)?;
    let found = app.store().machines(Some(&name), now().0)?.pop();
    found.map(Json).ok_or_else(|| Refusal::unknown("unknown-machine", format!("there is no machine `{name}`")))
}

fn check_administrator(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    match given {
        Some(token) if constant_time_eq(token, app.admin_token.as_bytes()) => Ok(()),
        _ => Err(Refusal::unauthorized()),
    }
}
