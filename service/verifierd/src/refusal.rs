// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a client hears when its request is refused.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use evtpm_api::ApiError;
use evtpm_crypto::EntropyError;

use crate::store::StoreError;

/// A refused request.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: &'static str,
    message: String,
}

impl Refusal {
    /// The request itself is malformed.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Refusal { status: StatusCode::BAD_REQUEST, error: "bad-request", message: message.into() }
    }

    /// The request names something that is not there, is used up, or has expired.
    pub(crate) fn unknown(error: &'static str, message: impl Into<String>) -> Self {
        Refusal { status: StatusCode::NOT_FOUND, error, message: message.into() }
    }

    /// The evidence does not hold.
    pub(crate) fn evidence(error: impl std::fmt::Display) -> Self {
        Refusal { status: StatusCode::FORBIDDEN, error: "evidence-refused", message: error.to_string() }
    }

    /// The attester's time is over: another boot of its machine registered.
    fn revoked(error: impl std::fmt::Display) -> Self {
        Refusal { status: StatusCode::FORBIDDEN, error: "revoked-attester", message: error.to_string() }
    }

    /// The machine's last verdict is not one that this is given on.
    pub(crate) fn not_trusted(message: impl Into<String>) -> Self {
        Refusal { status: StatusCode::FORBIDDEN, error: "not-trusted", message: message.into() }
    }

    /// The logs do not go on from where they are known to stand.
    pub(crate) fn resend(error: impl std::fmt::Display) -> Self {
        let message = format!("{error}; ask for a new challenge and send the whole logs");
        Refusal { status: StatusCode::CONFLICT, error: "resend-logs", message }
    }

    /// What is asked for contradicts what is there.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Refusal { status: StatusCode::CONFLICT, error: "conflict", message: message.into() }
    }

    /// The client is not who may ask this.
    pub(crate) fn unauthorized() -> Self {
        let message =
            "give an administrator's token as `Authorization: Bearer TOKEN`, or a client certificate".to_owned();
        Refusal { status: StatusCode::UNAUTHORIZED, error: "unauthorized", message }
    }

    /// Another site's page asks through an administrator's browser.
    pub(crate) fn cross_site() -> Self {
        let message = "a browser asks for a page of another site: only this verifier's own page may".to_owned();
        Refusal { status: StatusCode::FORBIDDEN, error: "cross-site", message }
    }

    /// The client is known, and may not do this.
    pub(crate) fn forbidden(name: &str, role: &str) -> Self {
        let message = format!("`{name}` does not have the role `{role}`");
        Refusal { status: StatusCode::FORBIDDEN, error: "forbidden", message }
    }

    /// The verifier has too much to do.
    pub(crate) fn overloaded() -> Self {
        let message = "too many requests are being verified; try again later".to_owned();
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, error: "overloaded", message }
    }

    /// The client did not finish its request.
    pub(crate) fn too_slow() -> Self {
        let message = "the request did not come to its end in time".to_owned();
        Refusal { status: StatusCode::REQUEST_TIMEOUT, error: "too-slow", message }
    }

    /// The verifier itself failed; what failed stays in its own log.
    pub(crate) fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        let message = "the verifier failed; its operator finds the reason in its log".to_owned();
        Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, error: "internal", message }
    }

    /// The HTTP status, for protocols with other envelopes.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// A guest of Confidential Containers has not shown, or cannot show, what it is.
    pub(crate) fn unattested(message: impl std::fmt::Display) -> Self {
        Refusal { status: StatusCode::UNAUTHORIZED, error: "evidence-refused", message: message.to_string() }
    }

    /// The word for programs.
    pub(crate) fn word(&self) -> &'static str {
        self.error
    }

    /// Whether it is because what was named is not there.
    pub(crate) fn is_unknown(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// What to say in the audit log.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(ApiError { error: self.error.to_owned(), message: self.message })).into_response()
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Refusal { status: rejection.status(), error: "bad-request", message: rejection.body_text() }
    }
}

impl From<EntropyError> for Refusal {
    fn from(error: EntropyError) -> Self {
        Refusal::internal(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::OtherIdentity { .. } | StoreError::KnownEk => Refusal::evidence(error),
            StoreError::Revoked => Refusal::revoked(error),
            StoreError::UnknownPolicy(_) => Refusal::unknown("unknown-policy", error.to_string()),
            StoreError::PolicyInUse { .. } | StoreError::Exists(_) | StoreError::Changed(_) => {
                Refusal::conflict(error.to_string())
            }
            StoreError::Database(_) | StoreError::Version { .. } => Refusal::internal(error),
        }
    }
}
