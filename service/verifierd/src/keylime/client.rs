// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Questions to an agent, over TLS in which both sides show the certificates that were agreed on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use evtpm_io::{Connection, trust};
use evtpm_keylime::Envelope;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::server_identity::{Accepted, ServerIdentity};

/// How long an agent may take for one answer: quotes of slow TPMs take seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer: a list of a hundred thousand files.
const MAX_ANSWER: usize = 64 << 20;

/// The certificate that this verifier shows to agents.
#[derive(Debug)]
pub(crate) struct AgentTls {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl AgentTls {
    /// Reads certificate and key.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let chain = trust::certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key).with_context(|| format!("reading {}", key.display()))?;
        Ok(AgentTls { chain, key, provider: Arc::new(rustls::crypto::ring::default_provider()) })
    }

    /// Trusts exactly one certificate: the one that the agent registered with.
    fn pinned(&self, pem: &str) -> Result<ClientConfig> {
        let pinned =
            CertificateDer::from_pem_slice(pem.as_bytes()).context("the agent's mtls_cert is no certificate")?;
        let verifier = ServerIdentity::new(Accepted::Only(pinned), self.provider.clone());
        let config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        Ok(config)
    }
}

/// An agent's address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Agent<'a> {
    pub(crate) ip: &'a str,
    pub(crate) port: u16,
    /// Its certificate, or `disabled`.
    pub(crate) certificate: Option<&'a str>,
}

impl Agent<'_> {
    /// Asks one question; an answer that is no success is an error that says what the agent said.
    pub(crate) async fn ask<A: DeserializeOwned>(
        &self,
        tls: &AgentTls,
        method: Method,
        path: &str,
        question: Option<&(impl Serialize + Sync)>,
    ) -> Result<A> {
        let body = question.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, format!("{}:{}", self.ip, self.port))
            .header(CONTENT_TYPE, "application/json")
            .body(body)?;
        let exchange = async {
            let tls = match self.certificate {
                Some(pem) if pem != "disabled" => Some(Arc::new(tls.pinned(pem)?)),
                _ => None,
            };
            let mut connection = Connection::open(self.ip, self.port, tls.as_ref()).await?;
            let answer = connection.send(request).await?;
            let status = answer.status();
            Ok::<_, anyhow::Error>((status, evtpm_io::body(answer, MAX_ANSWER).await?))
        };
        let (status, body) = tokio::time::timeout(PATIENCE, exchange).await.context("timed out").flatten()?;
        if !status.is_success() {
            let said = serde_json::from_slice::<Envelope<serde::de::IgnoredAny>>(&body);
            anyhow::bail!(
                "the agent answered {status}: {}",
                said.map_or_else(|_| "no reason".into(), |said| said.status)
            );
        }
        let answer: Envelope<A> =
            serde_json::from_slice(&body).context("the agent's answer is not what the API says")?;
        Ok(answer.results)
    }
}
