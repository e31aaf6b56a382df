// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The paths of the key broker protocol of Confidential Containers, for guests.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use evtpm_api::kbs::{Attestation, ErrorInformation, Jwe, Request, Token};

use crate::app::App;
use crate::kbs;
use crate::refusal::Refusal;

/// The largest request: a report and its certificates, byte by byte in decimal.
const BODY: usize = 256 << 10;

/// The name of the cookie.
const SESSION: &str = "kbs-session-id";

/// The paths below `/kbs/v0`.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/auth", post(auth))
        .route("/attest", post(attest))
        .route("/resource/{repository}/{type}/{tag}", get(resource))
        .layer(DefaultBodyLimit::max(BODY))
}

/// A refusal in this protocol's words.
struct Refused(Refusal);

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Self {
        Refused(refusal.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let kind = format!("evtpm-verifier/{}", self.0.word());
        let detail = self.0.message().to_owned();
        (self.0.status(), Json(ErrorInformation { kind, detail })).into_response()
    }
}

async fn auth(
    State(app): State<Arc<App>>,
    body: Result<Json<Request>, JsonRejection>,
) -> Result<impl IntoResponse, Refused> {
    let Json(request) = body?;
    let (session, challenge) = kbs::open(&app, &request)?;
    let cookie = format!("{SESSION}={session}; Path=/kbs/v0; Secure; HttpOnly");
    Ok((StatusCode::OK, [(SET_COOKIE, cookie)], Json(challenge)))
}

async fn attest(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Attestation>, JsonRejection>,
) -> Result<Json<Token>, Refused> {
    let Json(attestation) = body?;
    Ok(kbs::attest(&app, session(&headers)?, attestation).await.map(Json)?)
}

async fn resource(
    State(app): State<Arc<App>>,
    Path((repository, kind, tag)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<Jwe>, Refused> {
    let path = format!("{repository}/{kind}/{tag}");
    Ok(kbs::resource(&app, session(&headers)?, &path).await.map(Json)?)
}

/// Finds the session among the cookies.
fn session(headers: &HeaderMap) -> Result<&str, Refusal> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let found = pairs.find(|(name, _)| *name == SESSION).map(|(_, session)| session);
    found.ok_or_else(|| Refusal::unattested("no session in a cookie: begin at /kbs/v0/auth"))
}
