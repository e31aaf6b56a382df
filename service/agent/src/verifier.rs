// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The verifier as the agent sees it: JSON over one TLS 1.3 connection whose exporter binds the quotes sent on it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use evtpm_api::{ApiError, EXPORTER_LABEL, EXPORTER_SIZE};
use evtpm_io::trust;
use hyper::{Method, Request, StatusCode, Uri};
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long the verifier may take for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// Where the verifier is and whom to believe that it is the verifier.
#[derive(Debug, Clone)]
pub struct Verifier {
    host: String,
    port: u16,
    tls: Arc<ClientConfig>,
}

impl Verifier {
    /// Takes `https://HOST[:PORT]` and the file of the CA that signed the verifier's certificate.
    ///
    /// # Errors
    /// Names what is wrong with the address or the file.
    pub fn new(url: &str, ca: &Path) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is not a URL"))?;
        anyhow::ensure!(uri.scheme_str() == Some("https"), "`{url}` does not begin with https://");
        anyhow::ensure!(matches!(uri.path(), "" | "/"), "`{url}` has a path; give https://HOST:PORT alone");
        let host = uri.host().with_context(|| format!("`{url}` names no host"))?;

        let tls = trust::trusting(ca, &[&rustls::version::TLS13])?.with_no_client_auth();
        Ok(Verifier {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(443),
            tls: Arc::new(tls),
        })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When the verifier cannot be reached or is not who the CA says.
    pub async fn connect(&self) -> Result<Connection> {
        let host = format!("{}:{}", self.host, self.port);
        let connecting = evtpm_io::Connection::open_bound(&self.host, self.port, &self.tls, EXPORTER_LABEL);
        let connected = tokio::time::timeout(PATIENCE, connecting).await.context("timed out").flatten();
        let (http, binding) = connected.with_context(|| format!("connecting to {host}"))?;
        Ok(Connection { http, binding, host })
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    http: evtpm_io::Connection,
    binding: [u8; EXPORTER_SIZE],
    host: String,
}

/// The verifier answered with an error of its own, as opposed to not answering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// What the verifier said.
    pub error: ApiError,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the verifier refused ({}, {}): {}", self.status, self.error.error, self.error.message)
    }
}

impl std::error::Error for Refused {}

impl Connection {
    /// Returns the channel binding `tls-exporter` (RFC 9266).
    #[must_use]
    pub fn binding(&self) -> &[u8; EXPORTER_SIZE] {
        &self.binding
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// [`Refused`] when the verifier said no; anything else is the connection's fault.
    pub async fn request<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        question: &Q,
    ) -> Result<A> {
        let path = format!("{}{path}", evtpm_api::PREFIX);
        let body = serde_json::to_vec(question)?;
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header(hyper::header::HOST, &self.host)
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(body)?;
        let exchange = async {
            let answer = self.http.send(request).await?;
            let status = answer.status();
            Ok::<_, anyhow::Error>((status, evtpm_io::body(answer, MAX_ANSWER).await?))
        };
        let answered = tokio::time::timeout(PATIENCE, exchange).await.context("timed out").flatten();
        let (status, body) = answered.with_context(|| format!("asking the verifier for {path}"))?;
        parse(status, &body).with_context(|| format!("at {path}"))
    }
}

fn parse<A: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<A> {
    if status.is_success() {
        return serde_json::from_slice(body).context("the verifier's answer is not what the API says");
    }
    match serde_json::from_slice(body) {
        Ok(error) => Err(Refused { status: status.as_u16(), error }.into()),
        Err(_) => bail!("the verifier answered with status {status} and no reason"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_tls_is_refused() {
        let error = Verifier::new("http://localhost:1", Path::new("/nowhere")).unwrap_err();
        assert!(error.to_string().contains("https://"), "{error}");
    }

    #[test]
    fn a_missing_ca_file_is_named() {
        let error = Verifier::new("https://localhost:1", Path::new("/nowhere.pem")).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere.pem"), "{error:#}");
    }

    #[test]
    fn a_refusal_keeps_the_verifier_s_words() {
        let body = br#"{"error":"evidence-refused","message":"the quote is not fresh"}"#;
        let error = parse::<()>(StatusCode::FORBIDDEN, body).unwrap_err();
        let refused = error.downcast_ref::<Refused>().unwrap();
        assert_eq!((refused.status, refused.error.error.as_str()), (403, "evidence-refused"));
    }
}
