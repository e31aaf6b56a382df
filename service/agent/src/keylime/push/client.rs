// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A verifier of the push model: bodies of JSON:API, and refusals that say when to come again.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use evtpm_keylime::push::{Document, Errors, JSON_API};
use hyper::Method;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::http::{Question, Server};

/// The largest answer that is read: a verifier acknowledges evidence by repeating it.
const MAX_ANSWER: usize = 128 << 20;

/// A verifier, and where.
#[derive(Debug)]
pub struct Verifier(Server);

/// What a verifier said that did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// When to come again, where it says so.
    pub retry_after: Option<Duration>,
    /// Its reasons.
    pub detail: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the verifier refused ({}): {}", self.status, self.detail)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// Whether an error is a refusal with this status.
    pub(super) fn is(error: &anyhow::Error, status: u16) -> bool {
        error.downcast_ref::<Self>().is_some_and(|refused| refused.status == status)
    }
}

impl Verifier {
    /// Takes `https://HOST[:8881]` with the file of the CA that signed its certificate.
    ///
    /// # Errors
    /// Names what is wrong with the address or the file.
    pub fn new(url: &str, ca: &Path) -> Result<Self> {
        Server::new(url, 8881, Some(ca)).map(Verifier)
    }

    /// Asks for something below `/v3.0`, with the token of a session where there is one.
    pub(super) async fn ask<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: &Document<impl Serialize>,
    ) -> Result<Document<A>> {
        let path = format!("/v3.0{path}");
        let mut headers = vec![(CONTENT_TYPE, JSON_API.to_owned()), (ACCEPT, JSON_API.to_owned())];
        headers.extend(token.map(|token| (AUTHORIZATION, format!("Bearer {token}"))));
        let question =
            Question { method, path: &path, headers: &headers, body: serde_json::to_vec(body)?, limit: MAX_ANSWER };
        let answer = self.0.send(question).await?;
        if !(200..300).contains(&answer.status) {
            return Err(refused(answer.status, answer.retry_after, &answer.body).into());
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("the verifier's answer to {path} is not what the API says"))
    }
}

fn refused(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Refused {
    let errors = serde_json::from_slice(body).map(|Errors { errors, .. }| errors).unwrap_or_default();
    let details: Vec<String> = errors.into_iter().map(|error| error.detail).collect();
    let detail = if details.is_empty() { "it gives no reason".to_owned() } else { details.join("; ") };
    Refused { status, retry_after, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_carries_all_reasons_and_none_is_said_to_be_none() {
        let body = br#"{"errors":[{"status":"400","detail":"a"},{"status":"400","detail":"b"}]}"#;
        assert_eq!(refused(400, None, body).detail, "a; b");
        assert_eq!(refused(500, None, b"<html>").detail, "it gives no reason");
    }
}
