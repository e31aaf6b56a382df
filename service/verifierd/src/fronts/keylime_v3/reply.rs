// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Answers in JSON:API's form.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use evtpm_keylime::push::{ApiError, Document, Errors, JSON_API, JsonApi};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::keylime::push::Turned;

/// A body with its status.
#[derive(Debug)]
pub(super) struct Said<T>(pub(super) StatusCode, pub(super) T);

impl<T: Serialize> IntoResponse for Said<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.1) {
            Ok(body) => (self.0, [(CONTENT_TYPE, JSON_API)], body).into_response(),
            // Our types have text for keys, so there is nothing that JSON could not hold.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let error = ApiError {
            status: status.as_u16().to_string(),
            code: Some(self.code.to_owned()),
            detail: self.detail,
            source: None,
        };
        let errors = Errors { errors: vec![error], jsonapi: Some(JsonApi::default()) };
        let mut response = Said(status, errors).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// The attributes of a request's one resource.
#[derive(Debug)]
pub(super) struct Attributes<A>(pub(super) A);

/// What a request's resource has to be.
pub(super) trait Kind: DeserializeOwned {
    /// Its type in JSON:API.
    const KIND: &'static str;
}

impl<A: Kind> FromRequest<Arc<App>> for Attributes<A> {
    type Rejection = Turned;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Turned> {
        let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if content_type.is_none_or(|content_type| !content_type.starts_with(JSON_API.as_bytes())) {
            return Err(Turned::new(415, "format_not_allowed", format!("the Content-Type has to be {JSON_API}")));
        }
        let bytes = Bytes::from_request(request, app).await;
        let bytes = bytes
            .map_err(|rejection| Turned::new(rejection.status().as_u16(), "bad_request", rejection.body_text()))?;
        let document: Document<A> = serde_json::from_slice(&bytes).map_err(|error| {
            Turned::new(400, "invalid_request", format!("the body is not what the API says: {error}"))
        })?;
        if document.data.kind != A::KIND {
            let detail = format!("the resource's type has to be `{}`, not `{}`", A::KIND, document.data.kind);
            return Err(Turned::new(409, "conflict", detail));
        }
        Ok(Attributes(document.data.attributes))
    }
}
