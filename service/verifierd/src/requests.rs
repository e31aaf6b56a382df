// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is logged of a request, and the number under which its client and its operator speak of it.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

use crate::listener::ClientAddress;
use crate::random::hexadecimal;

/// Tells the client the request's number.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts everything that is logged while a request is answered under its number. Of the request, its method and path are
/// logged: what else there is may be a secret.
pub(crate) async fn numbered(request: Request, next: Next) -> Response {
    let id = id();
    let client = request.extensions().get::<ClientAddress>().map(|address| tracing::field::display(address.0));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    // Of the highest level: a span is left out with the lines of its level, and whatever is logged needs its number.
    let span = tracing::error_span!("request", id, client, %method, path);
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
    // Without randomness nothing is verified either: the next step says so.
    hexadecimal::<8>().unwrap_or_else(|_| "none".to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Seek as _};
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn a_warning_has_its_requests_number_where_only_warnings_are_written() {
        let path = std::env::temp_dir().join(format!("evtpm-requests-{}", std::process::id()));
        let mut file = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        let lines = Arc::new(file.try_clone().unwrap());
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(lines).finish();
        let _written = tracing::subscriber::set_default(subscriber);
        let router = Router::new().route("/x", get(async || tracing::warn!("odd"))).layer(from_fn(numbered));
        let response = router.oneshot(Request::get("/x").body(Body::empty()).unwrap()).await.unwrap();

        let id = response.headers()[REQUEST_ID].to_str().unwrap();
        let mut line = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut line).unwrap();
        assert!(line.contains("odd") && line.contains(id), "{line}");
        std::fs::remove_file(path).unwrap();
    }
}
