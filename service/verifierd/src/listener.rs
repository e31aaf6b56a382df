// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accepts TLS connections and hands each request on with the channel binding of its connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Extension;
use evtpm_api::{EXPORTER_LABEL, EXPORTER_SIZE};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use x509_cert::der::Decode as _;

use crate::budget::Budgets;
use crate::hex::hex;

/// How long a client may take for the handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one connection may live; agents connect again.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(3_600);

/// How many connections are served at once.
const CONNECTIONS: usize = 1_024;

/// How many of them one address may hold: a fleet behind one gateway fits, and nobody takes all.
const CONNECTIONS_OF_ONE_CLIENT: usize = 256;

/// The `tls-exporter` value of the connection that a request came on (RFC 9266).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChannelBinding(pub(crate) [u8; EXPORTER_SIZE]);

/// The name in the client certificate of that connection, where one was shown and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientName(pub(crate) Option<String>);

/// The address of whoever sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

/// Serves until the listener fails; without TLS where a protocol has none.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) -> Result<()> {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let budgets = Budgets::new(CONNECTIONS_OF_ONE_CLIENT);
    loop {
        let slot = slots.clone().acquire_owned().await.context("the connection limit was closed")?;
        let (stream, client) = match listener.accept().await {
            Ok(accepted) => accepted,
            // Out of descriptors, or a client that was gone before we looked: neither ends the service.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(share) = budgets.take(client.ip()) else {
            // Closed without a word: a handshake would cost us more than the client.
            continue;
        };
        let (tls, router) = (tls.clone(), router.clone().layer(Extension(ClientAddress(client.ip()))));
        tokio::spawn(async move {
            // A connection that breaks concerns its client alone.
            let conversation = async {
                stream.set_nodelay(true)?;
                match tls {
                    Some(tls) => converse(stream, tls, router).await,
                    None => exchange(stream, router.layer(Extension(ClientName(None)))).await,
                }
            };
            drop(tokio::time::timeout(CONNECTION_LIFETIME, conversation).await);
            drop((slot, share));
        });
    }
}

async fn converse(stream: TcpStream, tls: TlsAcceptor, router: Router) -> Result<()> {
    let stream = tokio::time::timeout(PATIENCE, tls.accept(stream)).await??;
    let binding = stream.get_ref().1.export_keying_material([0; EXPORTER_SIZE], EXPORTER_LABEL, Some(&[]))?;
    let client = ClientName(stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(common_name));
    exchange(stream, router.layer(Extension(ChannelBinding(binding))).layer(Extension(client))).await
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, router: Router) -> Result<()> {
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await?;
    Ok(())
}

/// The name that the audit log has for whoever shows this certificate; the handshake has verified it.
fn common_name(certificate: &CertificateDer<'_>) -> String {
    let fingerprint = || hex(RustCrypto::hash(HashAlg::Sha256, &[certificate]).as_bytes());
    let parsed = x509_cert::Certificate::from_der(certificate).ok();
    let name = parsed.as_ref().map(|parsed| parsed.tbs_certificate().subject().to_string());
    name.filter(|name| !name.is_empty()).unwrap_or_else(fingerprint)
}
