// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Revocation messages: when an agent fails or stays silent, the others are told, and a webhook, in Keylime's form.
//!
//! `{"msg": JSON in text, "signature": base64}`: RSASSA-PSS with SHA-256 and the longest salt, by the key that the failed
//! agent's tenant sent with its order; without such a key the signature is empty.

use std::sync::Arc;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_crypto::padding::pss;
use evtpm_crypto::{Crypto, HashAlg, RsaKey, RustCrypto, RustHasher};
use evtpm_keylime::Nothing;
use evtpm_keylime::agent::Revocation;
use hyper::Method;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use x509_cert::der::asn1::{AnyRef, OctetStringRef, UintRef};
use x509_cert::der::{Decode as _, Reader as _, SliceReader};
use zeroize::Zeroizing;

use super::client::{Agent, AgentTls};
use super::evidence::Failure;
use super::watches::{self, Watch};
use crate::app::{App, now};
use crate::random::SystemRng;
use crate::webhook::Webhook;

/// Messages that wait to be sent.
const BACKLOG: usize = 1_024;

/// Questions without an answer after which the others are told.
const SILENCES: u32 = 6;

/// Who is told.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// The agents that are asked, each on its port.
    pub(crate) agents: bool,
    pub(crate) webhook: Option<Webhook>,
}

/// The way of failures to whoever sends messages.
#[derive(Debug)]
pub(crate) struct Revoked(broadcast::Sender<Arc<Failed>>);

/// An agent that failed, or that does not answer.
#[derive(Debug)]
struct Failed {
    kind: Kind,
    agent: String,
    watch: Watch,
    failure: Failure,
    at: u64,
}

/// What a message is of, in Keylime's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Revocation,
    CommError,
}

impl Default for Revoked {
    fn default() -> Self {
        Revoked(broadcast::Sender::new(BACKLOG))
    }
}

impl Revoked {
    /// Tells of an agent that failed just now.
    pub(super) fn tell(&self, agent: &str, watch: &Watch, failures: &[Failure]) {
        let Some(failure) = failures.first() else { return };
        self.send(Kind::Revocation, agent, watch, failure.clone());
    }

    /// Tells of an agent that was good and did not answer: once, at the question after which Keylime gives it up too (its
    /// default of `max_retries`). To us it is unreachable and no more, and is asked again.
    pub(super) fn tell_of_silence(&self, agent: &str, watch: &Watch) {
        if watch.unanswered == SILENCES && watch.attestation_count > 0 {
            let failure = Failure::new("internal.verifier.not_reachable", "agent was not reachable from verifier");
            self.send(Kind::CommError, agent, watch, failure);
        }
    }

    fn send(&self, kind: Kind, agent: &str, watch: &Watch, failure: Failure) {
        let failed = Failed { kind, agent: agent.to_owned(), watch: watch.clone(), failure, at: now().0 };
        // Nobody has to listen.
        drop(self.0.send(Arc::new(failed)));
    }
}

/// Sends messages until the process ends.
pub(crate) async fn run(app: Arc<App>, tls: Arc<AgentTls>, channels: Channels) {
    let mut failures = app.keylime.revoked.0.subscribe();
    loop {
        let failed = match failures.recv().await {
            Ok(failed) => failed,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "revocation messages were not sent");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        if let Err(error) = send(&app, Some(&tls), &channels, &failed).await {
            tracing::warn!(agent = failed.agent, error = format!("{error:#}"), "a revocation message");
        }
    }
}

async fn send(app: &App, tls: Option<&Arc<AgentTls>>, channels: &Channels, failed: &Failed) -> Result<()> {
    if !channels.agents && channels.webhook.is_none() {
        return Ok(());
    }
    let message = message(failed)?;
    if let Some(webhook) = &channels.webhook {
        webhook.deliver("revocation", serde_json::to_vec(&message)?).await;
    }
    if let Some(tls) = tls.filter(|_| channels.agents) {
        let all = watches::all(app).await.map_err(|refusal| anyhow::anyhow!("{}", refusal.message()))?;
        for (watch, item) in all {
            if item.name != failed.agent && watch.push.is_none() {
                let (tls, message) = (tls.clone(), message.clone());
                tokio::spawn(async move {
                    if let Err(error) = tell_agent(&tls, &watch, &message).await {
                        tracing::warn!(
                            agent = item.name,
                            error = format!("{error:#}"),
                            "an agent did not take a revocation"
                        );
                    }
                });
            }
        }
    }
    Ok(())
}

async fn tell_agent(tls: &AgentTls, watch: &Watch, message: &Revocation) -> Result<()> {
    let order = &watch.order;
    let agent = Agent {
        ip: order.cloudagent_ip.as_deref().context("the order names no address")?,
        port: order.cloudagent_port.context("the order names no port")?.0,
        certificate: order.mtls_cert.as_deref(),
    };
    let version = order.supported_version.as_deref().unwrap_or("2.1");
    let path = format!("/v{version}/notifications/revocation");
    let _: Nothing = agent.ask(tls, Method::POST, &path, Some(message)).await?;
    Ok(())
}

/// What stands in `msg`.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    ip: Option<&'a str>,
    agent_id: &'a str,
    port: Option<u16>,
    tpm_policy: &'a str,
    meta_data: Option<&'a str>,
    event_time: String,
    event_id: &'a str,
    severity_label: &'static str,
    context: &'a str,
}

fn message(failed: &Failed) -> Result<Revocation> {
    let Failed { kind, agent, watch, failure, at } = failed;
    let order = &watch.order;
    let msg = serde_json::to_string(&Message {
        kind: *kind,
        ip: order.cloudagent_ip.as_deref(),
        agent_id: agent,
        port: order.cloudagent_port.map(|port| port.0),
        tpm_policy: &order.tpm_policy,
        meta_data: order.metadata.as_deref(),
        event_time: super::push::rfc3339(at.saturating_mul(1_000)),
        event_id: &failure.event_id,
        // Keylime's default: every failure is an emergency.
        severity_label: "emergency",
        context: &failure.context,
    })?;
    let signature = match order.revocation_key.as_deref().filter(|key| !key.is_empty()) {
        Some(pem) => STANDARD.encode(sign(pem, msg.as_bytes()).context("signing with the order's revocation_key")?),
        None => String::new(),
    };
    Ok(Revocation { msg, signature })
}

/// The numbers of an RSA key that signing needs.
struct Signer {
    modulus: Vec<u8>,
    prime: Zeroizing<Vec<u8>>,
}

fn sign(pem: &str, message: &[u8]) -> Result<Vec<u8>> {
    let Signer { modulus, prime } = signer(pem)?;
    let bits =
        modulus.len() * 8 - modulus.first().map_or(0, |first| usize::try_from(first.leading_zeros()).unwrap_or(0));
    let digest = RustCrypto::hash(HashAlg::Sha256, &[message]);
    let salt = pss::longest_salt(HashAlg::Sha256, bits).context("the key is too short")?;
    let mut block = vec![0; modulus.len()];
    let failed = |error| anyhow::anyhow!("{error:?}");
    pss::encode::<RustHasher>(HashAlg::Sha256, digest.as_bytes(), salt, bits, &mut SystemRng, &mut block)
        .map_err(failed)?;
    let key = RsaKey { modulus: &modulus, exponent: 65_537, prime: &prime };
    RustCrypto::rsa_private(key, &mut block, &mut SystemRng, &mut <RustCrypto as Crypto>::RsaMemory::default())
        .map_err(failed)?;
    Ok(block)
}

/// Reads PKCS #1 (RFC 8017, A.1.2) or PKCS #8 (RFC 5208) in PEM.
fn signer(pem: &str) -> Result<Signer> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).context("it is no private key in PEM")?;
    let outer;
    let pkcs1 = match &key {
        PrivateKeyDer::Pkcs1(key) => key.secret_pkcs1_der(),
        PrivateKeyDer::Pkcs8(key) => {
            outer = key.secret_pkcs8_der();
            let read = SliceReader::new(outer).and_then(|mut reader| {
                reader.sequence(|reader| {
                    let _version = UintRef::decode(reader)?;
                    let _algorithm = AnyRef::decode(reader)?;
                    <&OctetStringRef>::decode(reader)
                })
            });
            read.map_err(|error| anyhow::anyhow!("PKCS #8: {error}"))?.as_bytes()
        }
        _ => anyhow::bail!("it is no RSA key"),
    };
    let numbers = SliceReader::new(pkcs1).and_then(|mut reader| {
        reader.sequence(|reader| {
            let _version = UintRef::decode(reader)?;
            let modulus = UintRef::decode(reader)?;
            let [_exponent, _private, prime, _other, _first, _second, _coefficient] = [
                UintRef::decode(reader)?,
                UintRef::decode(reader)?,
                UintRef::decode(reader)?,
                UintRef::decode(reader)?,
                UintRef::decode(reader)?,
                UintRef::decode(reader)?,
                UintRef::decode(reader)?,
            ];
            Ok((modulus, prime))
        })
    });
    let (modulus, prime) = numbers.map_err(|error: x509_cert::der::Error| anyhow::anyhow!("PKCS #1: {error}"))?;
    Ok(Signer { modulus: modulus.as_bytes().to_vec(), prime: Zeroizing::new(prime.as_bytes().to_vec()) })
}

#[cfg(test)]
mod tests;
