// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Small questions to a server, one connection each: JSON over HTTP, or over HTTPS with a CA of the operator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use evtpm_io::{Connection, trust};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER};
use hyper::{Method, Request, Uri};
use rustls::ClientConfig;
use rustls::version::{TLS12, TLS13};
use serde::Serialize;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// Where a server is, and whom to believe that it is.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(HeaderName, String)],
    pub(crate) body: Vec<u8>,
    /// The largest answer that is read, in bytes.
    pub(crate) limit: usize,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// When to come again, where the server says so.
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

impl Server {
    /// Takes `http://HOST[:PORT]`, or `https://` with a file of CA certificates.
    pub(crate) fn new(url: &str, default_port: u16, ca: Option<&Path>) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is not a URL"))?;
        anyhow::ensure!(matches!(uri.path(), "" | "/"), "`{url}` has a path; give SCHEME://HOST:PORT alone");
        let host = uri.host().with_context(|| format!("`{url}` names no host"))?;
        let tls = match (uri.scheme_str(), ca) {
            (Some("http"), None) => None,
            (Some("http"), Some(_)) => anyhow::bail!("`{url}` is not https://, where a CA would be of use"),
            (Some("https"), Some(ca)) => Some(Arc::new(trust::trusting(ca, &[&TLS13, &TLS12])?.with_no_client_auth())),
            (Some("https"), None) => anyhow::bail!("`{url}` needs the file of the CA that signed its certificate"),
            _ => anyhow::bail!("`{url}` begins with neither http:// nor https://"),
        };
        let port = uri.port_u16().unwrap_or(default_port);
        Ok(Server { host: host.trim_matches(['[', ']']).to_owned(), port, tls })
    }

    /// Asks one question in JSON, and returns the status and the body of the answer.
    pub(crate) async fn ask(&self, method: Method, path: &str, question: &impl Serialize) -> Result<(u16, Bytes)> {
        let (headers, body) = match method {
            Method::GET => (vec![], vec![]),
            _ => (vec![(CONTENT_TYPE, "application/json".to_owned())], serde_json::to_vec(question)?),
        };
        let answer = self.send(Question { method, path, headers: &headers, body, limit: MAX_ANSWER }).await?;
        Ok((answer.status, answer.body))
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(&self, question: Question<'_>) -> Result<Answer> {
        let Question { method, path, headers, body, limit } = question;
        let mut request = Request::builder().uri(path).header(HOST, format!("{}:{}", self.host, self.port));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.method(method).body(body)?;
        let exchange = async {
            let mut connection = Connection::open(&self.host, self.port, self.tls.as_ref()).await?;
            let answer = connection.send(request).await?;
            let status = answer.status().as_u16();
            let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            let retry_after = retry_after.map(Duration::from_secs);
            Ok(Answer { status, retry_after, body: evtpm_io::body(answer, limit).await? })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .context("timed out")
            .and_then(|answer: Result<_>| answer)
            .with_context(|| format!("asking {}:{} for {path}", self.host, self.port))
    }
}
