// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Events by HTTP, signed: each is posted as JSON to an address of the operator.
//!
//! `evtpm-signature: t=TIME,v1=HEX` is HMAC-SHA256 over `TIME.BODY` under the key of the file; the receiver refuses what is
//! old, so that nobody can play an event again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use evtpm_api::Event;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_io::Connection;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Uri};
use rustls::ClientConfig;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::app::now;
use crate::hex::hex;
use crate::tls::trusting;

/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often an event is sent at most, with twice the time between each.
const TRIES: u32 = 5;
/// The time before the second try.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Where events go.
#[derive(Debug)]
pub(crate) struct Webhook {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    key: Vec<u8>,
}

impl Webhook {
    /// Takes `http://…`, or `https://…` with the CA of its certificate.
    pub(crate) fn new(url: &str, ca: Option<&Path>, key: Vec<u8>) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("--webhook: `{url}` is not a URL"))?;
        let host = uri.host().with_context(|| format!("--webhook: `{url}` names no host"))?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let (tls, port) = match (uri.scheme_str(), ca) {
            (Some("http"), None) => (None, 80),
            (Some("https"), Some(ca)) => (Some(Arc::new(trusting(ca)?)), 443),
            (Some("https"), None) => anyhow::bail!("--webhook: `{url}` needs --webhook-ca"),
            _ => anyhow::bail!("--webhook: `{url}` is neither http:// nor https://, or has no use for a CA"),
        };
        let port = uri.port_u16().unwrap_or(port);
        Ok(Webhook { host, port, tls, key, uri })
    }

    /// Sends events until there are no more.
    pub(crate) async fn run(self, mut events: Receiver<Event>) {
        loop {
            match events.recv().await {
                Ok(event) => match serde_json::to_vec(&event) {
                    Ok(body) => self.deliver(&event.event, body).await,
                    Err(error) => tracing::error!(%error, "an event for the webhook"),
                },
                Err(RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "the webhook is too slow: events were not sent");
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Posts a body of JSON, again if it is not taken; `what` names it if it is given up.
    pub(crate) async fn deliver(&self, what: &str, body: Vec<u8>) {
        let body = Bytes::from(body);
        let mut wait = FIRST_WAIT;
        for attempt in 1..=TRIES {
            let sent = tokio::time::timeout(PATIENCE, self.send(body.clone())).await.context("timed out").flatten();
            let Err(error) = sent else { return };
            if attempt == TRIES {
                tracing::warn!(error = format!("{error:#}"), event = what, "the webhook: an event is given up");
                return;
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn send(&self, body: Bytes) -> Result<()> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, "application/json")
            .header("evtpm-signature", signature(&self.key, now().0, &body))
            .body(body)?;
        let mut connection = Connection::open(&self.host, self.port, self.tls.as_ref()).await?;
        let status = connection.send(request).await?.status();
        anyhow::ensure!(status.is_success(), "the receiver answered {status}");
        Ok(())
    }
}

/// Signs a body with the time, so that both sides can tell an old message.
fn signature(key: &[u8], at: u64, body: &[u8]) -> String {
    let time = at.to_string();
    let mac = RustCrypto::hmac(HashAlg::Sha256, key, &[time.as_bytes(), b".", body]);
    format!("t={time},v1={}", hex(mac.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::post;

    use super::*;

    #[test]
    fn a_signature_is_of_the_time_and_the_body() {
        let signed = |at, body: &str| signature(b"key", at, body.as_bytes());
        assert!(signed(5, "{}").starts_with("t=5,v1="));
        assert_ne!(signed(5, "{}").split("v1=").last(), signed(6, "{}").split("v1=").last());
        assert_ne!(signed(5, "{}"), signed(5, "[]"));
    }

    #[test]
    fn https_needs_a_ca_and_http_has_none() {
        assert!(Webhook::new("https://h/x", None, vec![]).unwrap_err().to_string().contains("--webhook-ca"));
        assert!(Webhook::new("ftp://h/x", None, vec![]).is_err());
        assert_eq!(Webhook::new("http://h:81/x", None, vec![]).unwrap().port, 81);
    }

    #[tokio::test]
    async fn an_event_arrives_signed_even_if_the_receiver_fails_at_first() {
        let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
        let answers = AtomicUsize::new(0);
        let receiver = move |headers: HeaderMap, body: String| {
            sender.send((headers["evtpm-signature"].to_str().unwrap().to_owned(), body)).unwrap();
            let first = answers.fetch_add(1, Ordering::Relaxed) == 0;
            async move { if first { StatusCode::BAD_GATEWAY } else { StatusCode::OK } }
        };
        let receiver = Arc::new(receiver);
        let receiver = move |headers: HeaderMap, body: String| receiver(headers, body);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let server = axum::Router::new().route("/events", post(receiver));
        let serving = tokio::spawn(async move { axum::serve(listener, server).await });

        let events = crate::events::Events::default();
        let webhook = Webhook::new(&url, None, b"key".to_vec()).unwrap();
        let sending = tokio::spawn(webhook.run(events.listen()));
        events.tell(7, "vm", "failed", "why");
        let refused = received.recv().await.unwrap();
        let (header, body) = received.recv().await.unwrap();
        assert_eq!(refused.1, body);
        let event: Event = serde_json::from_str(&body).unwrap();
        assert_eq!((event.machine.as_str(), event.event.as_str()), ("vm", "failed"));
        let at = header["t=".len()..].split(',').next().unwrap().parse().unwrap();
        assert_eq!(header, signature(b"key", at, body.as_bytes()));
        sending.abort();
        serving.abort();
    }
}
