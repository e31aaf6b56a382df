// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Answers in Keylime's envelope.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use evtpm_keylime::{Envelope, Nothing};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::listener::ClientName;
use crate::refusal::Refusal;

/// An answer.
pub(super) type Reply<T> = Result<Success<T>, Refused>;

/// Results.
#[derive(Debug)]
pub(super) struct Success<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Success<T> {
    fn into_response(self) -> Response {
        Json(Envelope::success(self.0)).into_response()
    }
}

/// Something was made.
#[derive(Debug)]
pub(super) struct Created;

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let envelope = Envelope { code: 201, status: "Created".to_owned(), results: Nothing };
        (StatusCode::CREATED, Json(envelope)).into_response()
    }
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused {
    code: StatusCode,
    message: String,
}

impl Refused {
    pub(super) fn new(code: StatusCode, message: impl Into<String>) -> Self {
        Refused { code, message: message.into() }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.code, Json(Envelope::error(self.code.as_u16(), self.message))).into_response()
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Refused { code: refusal.status(), message: refusal.message().to_owned() }
    }
}

impl From<crate::store::StoreError> for Refused {
    fn from(error: crate::store::StoreError) -> Self {
        Refusal::from(error).into()
    }
}

/// A request's JSON, whatever content type it is said to be of: Keylime's tenant names none.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Refused> {
        let bytes = Bytes::from_request(request, app).await;
        let bytes = bytes.map_err(|rejection| Refused { code: rejection.status(), message: rejection.body_text() })?;
        let value = serde_json::from_slice(&bytes);
        value.map(Body).map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error.to_string()))
    }
}

/// Turns away whoever shows no certificate, before its body is read.
pub(super) async fn only_with_certificate(request: Request, next: Next) -> Response {
    if matches!(request.extensions().get(), Some(ClientName(Some(_)))) {
        return next.run(request).await;
    }
    Refused::new(StatusCode::UNAUTHORIZED, "a client certificate is needed").into_response()
}

/// Whatever is not there.
pub(super) async fn not_found() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "there is no such resource")
}
