// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sessions of the page: an administrator's token in a cookie that scripts cannot read.
//!
//! Nothing is kept for a session, so that it is good with every process on the database; it ends with the token, with the
//! browser, or when the cookie is taken back. Only requests that the browser says this page made are let in by it
//! (see [`Caller`]).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use evtpm_api::{Session, SessionRequest};

use crate::access::{Caller, SESSION_COOKIE};
use crate::app::App;
use crate::refusal::Refusal;

/// `GET /v1/session`
pub(crate) async fn show(caller: Caller) -> Json<Session> {
    Json(session(&caller))
}

/// `POST /v1/session`
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    body: Result<Json<SessionRequest>, JsonRejection>,
) -> Result<impl IntoResponse, Refusal> {
    let Json(SessionRequest { token }) = body?;
    let token = token.trim();
    // What cannot stand in a cookie is no token of ours.
    let is_plain = token.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b';' | b',' | b'"' | b'\\'));
    let caller = app.access.of(token.as_bytes()).filter(|_| is_plain).ok_or_else(Refusal::unauthorized)?;
    Ok((StatusCode::CREATED, [(SET_COOKIE, cookie(token))], Json(session(&caller))))
}

/// `DELETE /v1/session`
pub(crate) async fn close() -> impl IntoResponse {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, format!("{}; Max-Age=0", cookie("")))])
}

fn cookie(value: &str) -> String {
    format!("{SESSION_COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Strict")
}

fn session(caller: &Caller) -> Session {
    Session { name: caller.name.clone(), roles: caller.roles.names() }
}
