// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Small questions to a server, one connection each: JSON over HTTP, or over HTTPS with a CA of the operator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, RETRY_AFTER};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

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
            (Some("https"), Some(ca)) => Some(trusting(&roots(ca)?)?),
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
        let request = request.method(method).body(Full::new(Bytes::from(body)))?;
        let exchange = async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            match &self.tls {
                None => exchange(stream, request, limit).await,
                Some(tls) => {
                    let name = ServerName::try_from(self.host.clone())?;
                    exchange(TlsConnector::from(tls.clone()).connect(name, stream).await?, request, limit).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .context("timed out")
            .and_then(|answer| answer)
            .with_context(|| format!("asking {}:{} for {path}", self.host, self.port))
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, limit: usize) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection's end is seen by the request on it.
    tokio::spawn(async move { drop(connection.await) });
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let body = Limited::new(response.into_body(), limit).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("reading the answer: {error}"))?.to_bytes();
    Ok(Answer { status, retry_after: retry_after.map(Duration::from_secs), body })
}

/// Reads CA certificates.
pub(crate) fn roots(ca: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).with_context(|| format!("reading {}", ca.display()))? {
        roots.add(certificate?).with_context(|| format!("{} is not a CA certificate", ca.display()))?;
    }
    anyhow::ensure!(!roots.is_empty(), "{} holds no certificate", ca.display());
    Ok(roots)
}

fn trusting(roots: &RootCertStore) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    Ok(Arc::new(config))
}
