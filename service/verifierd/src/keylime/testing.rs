// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests to routes as they are served, without a socket.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::http::{Request, StatusCode};
use evtpm_keylime::push::Document;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::listener::{ClientAddress, ClientName};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller<'a> {
    /// A client without certificate or token.
    Anybody,
    /// An agent with its session's token.
    Token(&'a str),
    /// Whoever has a certificate.
    Tenant,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: String,
}

impl Answer {
    pub(super) async fn to(router: Router, caller: Caller<'_>, method: &str, path: &str, body: &Value) -> Self {
        let name = matches!(caller, Caller::Tenant).then(|| "tenant".to_owned());
        let router =
            router.layer(Extension(ClientAddress(IpAddr::from([127, 0, 0, 1])))).layer(Extension(ClientName(name)));
        let request = Request::builder().method(method).uri(path).header("content-type", "application/vnd.api+json");
        let request = match caller {
            Caller::Token(token) => request.header("authorization", format!("Bearer {token}")),
            Caller::Anybody | Caller::Tenant => request,
        };
        let response = router.oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, retry_after, location) = (response.status(), header("retry-after"), header("location"));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, retry_after, location, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// The attributes of the one resource in JSON:API's form.
    pub(super) fn attributes<A: DeserializeOwned>(&self) -> A {
        let document = serde_json::from_str::<Document<A>>(&self.body);
        document.unwrap_or_else(|error| panic!("{error}: {}", self.body)).data.attributes
    }

    /// Status and word of a refusal in JSON:API's form.
    pub(super) fn code(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        (self.status.as_u16(), body["errors"][0]["code"].as_str().unwrap_or_default().to_owned())
    }
}
