// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A verifier as its administrator reaches it: JSON over TLS, with a token or a client certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use evtpm_api::{ApiError, Event};
use evtpm_io::{Connection, trust};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode, Uri};
use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::de::DeserializeOwned;

/// How long an answer may take: a verifier follows the chain of a long audit log in this time.
const PATIENCE: Duration = Duration::from_secs(120);

/// The largest answer: machines by the ten thousands, with their findings.
const MAX_ANSWER: usize = 256 << 20;

/// The longest event.
const MAX_EVENT: usize = 1 << 20;

/// How an administrator shows who he is.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// By a token.
    Token(String),
    /// By a certificate and its key, in PEM.
    Certificate(PathBuf, PathBuf),
}

/// An administrator of one verifier.
#[derive(Debug)]
pub(crate) struct Operator {
    host: String,
    port: u16,
    token: Option<String>,
    tls: Arc<ClientConfig>,
}

impl Operator {
    /// Takes `https://HOST[:PORT]`, and the file of the CA that signed the verifier's certificate.
    pub(crate) fn new(url: &str, ca: &Path, way: Way) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is not a URL"))?;
        anyhow::ensure!(uri.scheme_str() == Some("https"), "`{url}` does not begin with https://");
        let host = uri.host().with_context(|| format!("`{url}` names no host"))?;
        let tls = trust::trusting(ca, &[&rustls::version::TLS13])?;
        let (token, tls) = match way {
            Way::Token(token) => (Some(token), tls.with_no_client_auth()),
            Way::Certificate(certificate, key) => {
                let chain = trust::certificates(&certificate)?;
                let key = PrivateKeyDer::from_pem_file(&key).with_context(|| format!("reading {}", key.display()))?;
                let tls = tls.with_client_auth_cert(chain, key);
                (None, tls.with_context(|| format!("{} does not fit its key", certificate.display()))?)
            }
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Operator { host, port: uri.port_u16().unwrap_or(443), token, tls: Arc::new(tls) })
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask<A: DeserializeOwned>(&self, method: Method, path: &str, body: Option<String>) -> Result<A> {
        let answer = self.send(method, path, body)?;
        // What has nothing to say says nothing; whoever expects that reads it as null.
        let answer = if answer.is_empty() { b"null" } else { answer.as_ref() };
        serde_json::from_slice(answer).with_context(|| format!("the answer at {path} is not what the API says"))
    }

    fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<Bytes> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exchange = self.exchange(method, path, body.unwrap_or_default());
        let timed = runtime.block_on(async { tokio::time::timeout(PATIENCE, exchange).await });
        let (status, answer) = timed
            .context("timed out")
            .and_then(|answer| answer)
            .with_context(|| format!("asking {}:{}", self.host, self.port))?;
        if status.is_success() {
            return Ok(answer);
        }
        match serde_json::from_slice::<ApiError>(&answer) {
            Ok(error) => bail!("the verifier refused ({}): {}", status.as_u16(), error.message),
            Err(_) => bail!("the verifier answered with status {status} and no reason"),
        }
    }

    /// Hears of events, from the moment that `ready` is called on, until `tell` has heard enough.
    pub(crate) fn follow(&self, ready: impl FnOnce(), mut tell: impl FnMut(Event) -> Result<bool>) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            // The events come for as long as the connection lives.
            let (_connection, response) = self.ask_for(Method::GET, "/events", String::new()).await?;
            anyhow::ensure!(response.status().is_success(), "the verifier answered with status {}", response.status());
            ready();
            let mut body = response.into_body();
            let mut waiting = Vec::new();
            while let Some(frame) = body.frame().await {
                waiting.extend(frame?.into_data().unwrap_or_default());
                anyhow::ensure!(waiting.len() <= MAX_EVENT, "an event is longer than {MAX_EVENT} bytes");
                while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = waiting.drain(..=end).collect();
                    let event = line.strip_prefix(b"data: ").and_then(|data| serde_json::from_slice(data).ok());
                    if let Some(event) = event
                        && tell(event)?
                    {
                        return Ok(());
                    }
                }
            }
            bail!("the verifier ended the stream of events")
        })
    }

    async fn exchange(&self, method: Method, path: &str, body: String) -> Result<(StatusCode, Bytes)> {
        let (_connection, response) = self.ask_for(method, path, body).await?;
        Ok((response.status(), evtpm_io::body(response, MAX_ANSWER).await?))
    }

    async fn ask_for(&self, method: Method, path: &str, body: String) -> Result<(Connection, Response<Incoming>)> {
        let mut connection = Connection::open(&self.host, self.port, Some(&self.tls)).await?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", evtpm_api::PREFIX))
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let response = connection.send(request.body(body)?).await?;
        Ok((connection, response))
    }
}
