// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accepts TLS connections and hands each request on with the channel binding of its connection.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::Extensions;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use evtpm_api::{EXPORTER_LABEL, EXPORTER_SIZE};
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;

use crate::budget::Budgets;
use crate::hex::hex;
use crate::refusal::Refusal;
use crate::requests;

/// How long a client may take for the handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one connection may live; agents connect again.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(3_600);

/// How long a request may take, with its body: whoever sends it by the byte is let go.
const REQUEST: Duration = Duration::from_secs(60);

/// How many connections are served at once, where the system has descriptors for them and some to spare.
const CONNECTIONS: u64 = 16_384;

/// Descriptors that are not for clients: the database, logs, connections to agents.
const SPARE_DESCRIPTORS: u64 = 128;

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

/// The organisational units in that certificate's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientUnits(pub(crate) Vec<String>);

/// Serves until the listener fails; without TLS where a protocol has none.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) -> Result<()> {
    let slots = Arc::new(Semaphore::new(connections()));
    let router = router.layer(from_fn(in_time)).layer(from_fn(requests::numbered));
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
        let (tls, router, address) = (tls.clone(), router.clone(), ClientAddress(client.ip()));
        tokio::spawn(async move {
            // A connection that breaks concerns its client alone.
            let conversation = async {
                stream.set_nodelay(true)?;
                match tls {
                    Some(tls) => converse(stream, tls, router, address).await,
                    None => exchange(stream, router, Peer::without_tls(address)).await,
                }
            };
            drop(tokio::time::timeout(CONNECTION_LIFETIME, conversation).await);
            drop((slot, share));
        });
    }
}

async fn converse(stream: TcpStream, tls: TlsAcceptor, router: Router, address: ClientAddress) -> Result<()> {
    let stream = tokio::time::timeout(PATIENCE, tls.accept(stream)).await??;
    let binding = stream.get_ref().1.export_keying_material([0; EXPORTER_SIZE], EXPORTER_LABEL, Some(&[]))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let name = ClientName(certificate.map(common_name));
    let units = ClientUnits(certificate.map(units).unwrap_or_default());
    exchange(stream, router, Peer { binding: Some(ChannelBinding(binding)), name, units, address }).await
}

/// Who is at the other end of a connection: what every request on it is handed on with.
#[derive(Debug, Clone)]
struct Peer {
    /// `None` where there is no TLS.
    binding: Option<ChannelBinding>,
    name: ClientName,
    units: ClientUnits,
    address: ClientAddress,
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    peer: Peer,
) -> Result<()> {
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        peer.introduce(request.extensions_mut());
        router.call(request)
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

impl Peer {
    const fn without_tls(address: ClientAddress) -> Self {
        Peer { binding: None, name: ClientName(None), units: ClientUnits(Vec::new()), address }
    }

    fn introduce(&self, extensions: &mut Extensions) {
        if let Some(binding) = self.binding {
            extensions.insert(binding);
        }
        extensions.insert(self.name.clone());
        extensions.insert(self.units.clone());
        extensions.insert(self.address);
    }
}

/// Ends a request that does not come to its end.
async fn in_time(request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(REQUEST, next.run(request)).await;
    answer.unwrap_or_else(|_| Refusal::too_slow().into_response())
}

/// Takes as many descriptors as the system gives, and says how many connections that is enough for.
fn connections() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = CONNECTIONS + SPARE_DESCRIPTORS;
    let raised = maximum.unwrap_or(wanted).min(wanted).max(current.unwrap_or(wanted));
    // Where it may not be raised, what there is has to do.
    let granted = match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(_) => current.unwrap_or(raised),
    };
    let connections = granted.saturating_sub(SPARE_DESCRIPTORS).clamp(SPARE_DESCRIPTORS, CONNECTIONS);
    usize::try_from(connections).unwrap_or(usize::MAX)
}

/// The name that the audit log has for whoever shows this certificate; the handshake has verified it.
fn common_name(certificate: &CertificateDer<'_>) -> String {
    let fingerprint = || hex(RustCrypto::hash(HashAlg::Sha256, &[certificate]).as_bytes());
    let parsed = x509_cert::Certificate::from_der(certificate).ok();
    let name = parsed.as_ref().map(|parsed| parsed.tbs_certificate().subject().to_string());
    name.filter(|name| !name.is_empty()).unwrap_or_else(fingerprint)
}

/// `id-at-organizationalUnitName`.
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// The organisational units of the subject, as text.
fn units(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(parsed) = x509_cert::Certificate::from_der(certificate) else { return Vec::new() };
    let attributes = parsed.tbs_certificate().subject().iter();
    let units = attributes.filter(|attribute| attribute.oid == ORGANIZATIONAL_UNIT);
    units.filter_map(|unit| std::str::from_utf8(unit.value.value()).ok().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn the_units_of_a_subject_are_read_one_by_one() {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "ci");
        parameters.distinguished_name.push(DnType::OrganizationalUnitName, "read");
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(units(certificate.der()), ["read"]);
        assert!(units(&CertificateDer::from(vec![1, 2])).is_empty());
    }
}
