// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HTTPS for whoever shows a certificate of the verifier's CA, one request after the other: there is one TPM.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use evtpm_client::Transport;
use evtpm_crypto::Rng;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::answer::{PullAgent, Reply};
use super::state::State;

/// How long a client may take for the handshake, and for a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one connection may live; verifiers connect again.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(600);

/// How many connections are served at once.
const CONNECTIONS: usize = 32;

/// The largest request: a payload of some MiB in base64.
const MAX_REQUEST: usize = 8 << 20;

/// Makes the TLS configuration: our own certificate, and a certificate of the peer that `clients` vouches for.
pub(super) fn tls(state: &State, clients: RootCertStore) -> Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(clients), provider.clone()).build()?;
    let certificate = CertificateDer::from_pem_slice(state.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(state.key.as_bytes())?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate], key)
        .context("the agent's certificate and key do not fit")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until the listener fails. To be run in a `LocalSet`.
pub(super) async fn serve<T, R>(listener: TcpListener, tls: TlsAcceptor, agent: PullAgent<T, R>) -> Result<()>
where
    T: Transport + 'static,
    R: Rng + 'static,
{
    let agent = Rc::new(RefCell::new(agent));
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let slot = slots.clone().acquire_owned().await.context("the connection limit was closed")?;
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or a client that was gone before we looked: neither ends the service.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (tls, agent) = (tls.clone(), agent.clone());
        tokio::task::spawn_local(async move {
            // A connection that breaks concerns its client alone.
            drop(tokio::time::timeout(CONNECTION_LIFETIME, converse(stream, tls, agent)).await);
            drop(slot);
        });
    }
}

async fn converse<T, R>(stream: TcpStream, tls: TlsAcceptor, agent: Rc<RefCell<PullAgent<T, R>>>) -> Result<()>
where
    T: Transport + 'static,
    R: Rng + 'static,
{
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(PATIENCE, tls.accept(stream)).await??;
    let service = service_fn(move |request| answer(request, agent.clone()));
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

async fn answer<T: Transport, R: Rng>(
    request: Request<Incoming>,
    agent: Rc<RefCell<PullAgent<T, R>>>,
) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_REQUEST).collect()).await?;
    let body = body.map_err(|error| anyhow::anyhow!("reading the request: {error}"))?.to_bytes();
    let query = head.uri.query().unwrap_or_default();
    // Nothing awaits while the agent is borrowed.
    let Reply { status, body } = agent.borrow_mut().answer(&head.method, head.uri.path(), query, &body);
    Ok(Response::builder()
        .status(status)
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?)
}
