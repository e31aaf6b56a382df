// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is logged of a request, and the number under which its client and its operator speak of it.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::hex::hex;
use crate::listener::ClientAddress;

/// Tells the client the request's number.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts everything that is logged while a request is answered under its number. Of the request, its method and path are
/// logged: what else there is may be a secret.
pub(crate) async fn numbered(request: Request, next: Next) -> Response {
    let id = id();
    let client = request.extensions().get::<ClientAddress>().map(|address| tracing::field::display(address.0));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", id, client, %method, path);
    let began = Instant::now();
    let answering = async {
        let response = next.run(request).await;
        let (status, microseconds) = (response.status().as_u16(), began.elapsed().as_micros());
        tracing::debug!(status, microseconds, "answered");
        response
    };
    let mut response = answering.instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A number that no other request has, as far as chance goes; it keeps no secret.
fn id() -> String {
    let mut bytes = [0; 8];
    // Without randomness nothing is verified either: the next step says so.
    getrandom::fill(&mut bytes).map_or_else(|_| "none".to_owned(), |()| hex(&bytes))
}
