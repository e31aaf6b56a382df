// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The schedule: whoever is due is taken by one process, asked for a quote, and judged.
//!
//! What a process took is due again when its lease ends, so that another one takes over from a process that died.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_crypto::padding::oaep;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_keylime::Nothing;
use evtpm_keylime::agent::{Quote, VKey};
use evtpm_keylime::quote::QuoteText;
use evtpm_keylime::verifier::OperationalState;
use evtpm_verify::tpm::{AkPublic, Issued, Nonce, TrustedAk};
use evtpm_verify::x509::PublicKey;
use hyper::Method;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Semaphore;

use super::boot::BootRules;
use super::client::{Agent, AgentTls};
use super::evidence::{self, Evidence, Failure, Order, Outcome, Signatures};
use super::push;
use super::rules::RuntimeRules;
use super::watches::{self, BOOT_POLICY, INTERVAL, POLICY, WATCHED, Watch};
use crate::app::{App, expiry, now};
use crate::hex::hex;
use crate::random::SystemRng;
use crate::store::{Item, Note, StoreError};

/// How often is looked for agents that are due.
const TICK: Duration = Duration::from_millis(200);
/// How long a round may take before another process takes over: an agent's patience twice, and a little.
const LEASE: u64 = 12_000;
/// Rounds that are under way at once.
const AT_ONCE: usize = 256;

/// Runs the schedule until the process ends.
pub(crate) async fn run(app: Arc<App>, tls: Arc<AgentTls>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        tokio::time::sleep(TICK).await;
        let free = u32::try_from(slots.available_permits()).unwrap_or(0);
        let at = milliseconds();
        let due = match app.store.claim(WATCHED, at, at + LEASE, free).await {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "looking for agents that are due");
                continue;
            }
        };
        for item in due {
            let (app, tls, slots) = (app.clone(), tls.clone(), slots.clone());
            tokio::spawn(async move {
                let Ok(_slot) = slots.acquire_owned().await else { return };
                let name = item.name.clone();
                if let Err(error) = round(&app, &tls, item).await {
                    tracing::error!(agent = name, error = format!("{error:#}"), "a round");
                }
            });
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    u64::try_from(since).unwrap_or(u64::MAX)
}

/// Asks one agent, judges it, writes down what came of it.
async fn round(app: &Arc<App>, tls: &AgentTls, item: Item) -> Result<()> {
    let (mut watch, item) = watches::read(item).map_err(|refusal| anyhow::anyhow!("{}", refusal.message()))?;
    let (was, began) = (watch.state, Instant::now());
    if watch.push.is_some() {
        return push::note_silence(app, watch, item).await;
    }
    let outcome = attest(app, tls, &mut watch).await;
    tell(app, &item.name, was, &outcome);
    let due_at = match &outcome {
        Ok(Some(failures)) => {
            watch.state = OperationalState::InvalidQuote;
            watch.last_event_id = failures.first().map(|failure| failure.event_id.clone());
            // As in Keylime, whoever failed is not asked again before an operator says so, or it registers anew.
            None
        }
        Ok(None) => Some(INTERVAL),
        Err(error) => {
            // Not to answer is not to fail: it is asked for as long as the order stands.
            watch.unanswered = watch.unanswered.saturating_add(1);
            watch.state = if matches!(was, OperationalState::ProvideV | OperationalState::ProvideVRetry) {
                OperationalState::ProvideVRetry
            } else {
                OperationalState::GetQuoteRetry
            };
            if watch.unanswered == 1 {
                let line = note(&item.name, "unreachable", format!("{error:#}"));
                app.store.note(line).await?;
            }
            Some(watches::wait_after(watch.unanswered))
        }
    };
    let name = item.name.clone();
    let due_at = due_at.map(|seconds| milliseconds() + seconds * 1_000);
    let item = watches::write(&watch, item, due_at).map_err(|refusal| anyhow::anyhow!("{}", refusal.message()))?;
    let line = outcome.as_ref().ok().map(|failures| verdict(&name, failures.as_deref()));
    match app.store.put_item(WATCHED, item, line).await {
        // The tenant changed or removed the order meanwhile; what was found out belongs to the order before.
        Ok(()) => {
            match &outcome {
                Ok(Some(failures)) => {
                    app.metrics.round("untrusted", began.elapsed());
                    app.keylime.revoked.tell(&name, &watch, failures);
                }
                Ok(None) => app.metrics.round("trusted", began.elapsed()),
                Err(_) => app.keylime.revoked.tell_of_silence(&name, &watch),
            }
            Ok(())
        }
        Err(StoreError::Changed(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Tells of a change; each question that was not answered is counted.
pub(super) fn tell(app: &App, agent: &str, was: OperationalState, outcome: &Result<Option<Vec<Failure>>>) {
    use OperationalState::{GetQuote, GetQuoteRetry, ProvideVRetry};
    let at = now().0;
    match outcome {
        Ok(Some(failures)) => {
            let reason = failures.first().map(|failure| format!("{}: {}", failure.event_id, failure.context));
            app.events.tell(at, agent, "untrusted", reason.unwrap_or_default());
        }
        Ok(None) if was != GetQuote => app.events.tell(at, agent, "trusted", ""),
        Ok(None) => {}
        Err(error) => {
            app.metrics.unreachable.fetch_add(1, Relaxed);
            if !matches!(was, GetQuoteRetry | ProvideVRetry) {
                app.events.tell(at, agent, "unreachable", format!("{error:#}"));
            }
        }
    }
}

/// The verdict's line in the audit log.
pub(super) fn verdict(agent: &str, failures: Option<&[Failure]>) -> Note {
    let detail = match failures {
        Some(failures) => {
            let words = |failure: &Failure| format!("{}: {}", failure.event_id, failure.context);
            format!("untrusted: {}", failures.iter().map(words).collect::<Vec<_>>().join("; "))
        }
        None => "trusted".to_owned(),
    };
    note(agent, "verdict", detail)
}

pub(super) fn note(agent: &str, event: &'static str, detail: String) -> Note {
    Note { at: now().0, machine: Some(agent.to_owned()), event, detail }
}

/// One quote. An error is an agent that could not be asked; `None` is an agent that is as it should be.
async fn attest(app: &Arc<App>, tls: &AgentTls, watch: &mut Watch) -> Result<Option<Vec<Failure>>> {
    let order = watch.order.clone();
    let agent = Agent {
        ip: order.cloudagent_ip.as_deref().context("the order names no address")?,
        port: order.cloudagent_port.context("the order names no port")?.0,
        certificate: order.mtls_cert.as_deref(),
    };
    let version = order.supported_version.as_deref().unwrap_or("2.1");
    let rules = rules(app, watch).await?;
    let boot = boot(app, watch).await?;
    let policy = judged_by(rules.as_deref(), boot.as_ref());
    let before = watch.before(policy.as_deref());
    let first = before.progress.as_ref().map_or(0, evtpm_verify::logs::Progress::entries);
    let tpm_policy = watch.tpm_policy().map_err(anyhow::Error::msg)?;
    let asked = evidence::asked(&tpm_policy).map_err(anyhow::Error::msg)?;
    let nonce = Issued::<Nonce>::issue(&mut SystemRng, expiry().0)?;
    let path = format!(
        "/v{version}/quotes/integrity?nonce={}&mask={}&partial={}&ima_ml_entry={first}",
        hex(nonce.challenge()),
        tpm_policy.mask.as_deref().unwrap_or("0x0"),
        u8::from(watch.transport_key.is_some()),
    );
    let answer: Quote = agent.ask(tls, Method::GET, &path, None::<&()>).await?;
    watch.unanswered = 0;
    watch.last_received_quote = now().0;
    watch.hash_alg.clone_from(&answer.hash_alg);
    watch.enc_alg.clone_from(&answer.enc_alg);
    watch.sign_alg.clone_from(&answer.sign_alg);
    if answer.pubkey.is_some() {
        watch.transport_key.clone_from(&answer.pubkey);
    }
    let transport_key = watch.transport_key.clone().context("the agent did not send its transport key")?;

    let ak = STANDARD.decode(&order.ak_tpm).context("ak_tpm is not base64")?;
    let key = TrustedAk::named(AkPublic::from_tpm2b(&ak)?);
    let (hashes, signatures) = (order.accept_tpm_hash_algs, order.accept_tpm_signing_algs);
    let judged = tokio::task::spawn_blocking(move || {
        let quote = QuoteText::parse(&answer.quote).map_err(|error| evidence::invalid("malformed", error))?;
        let order = Order {
            key: &key,
            tpm_policy: &tpm_policy,
            asked,
            rules: rules.as_deref(),
            boot: boot.as_ref().map(|(boot, _)| boot),
            hashes: &hashes,
            signatures: Signatures::These(&signatures),
            transport_key: Some(&transport_key),
        };
        let ima_list = answer.ima_measurement_list.as_deref().unwrap_or_default();
        let event_log = evidence::event_log(answer.mb_measurement_list.as_deref().unwrap_or_default())?;
        let sent = Evidence { quote: &quote, ima_list, event_log: &event_log };
        evidence::judge(order, sent, &before, nonce.in_hexadecimal(), now())
    });
    let Outcome { failures, after, quote } = match judged.await? {
        Ok(outcome) => outcome,
        Err(failure) => return Ok(Some(vec![failure])),
    };
    watch.keep(quote.clock(), policy.as_deref(), after.progress.as_ref());
    if !failures.is_empty() {
        return Ok(Some(failures));
    }
    watch.attestation_count = watch.attestation_count.saturating_add(1);
    watch.last_successful_attestation = now().0;
    if matches!(watch.state, OperationalState::Start | OperationalState::ProvideV | OperationalState::ProvideVRetry) {
        watch.state = OperationalState::ProvideV;
        provide_key(&agent, tls, version, watch).await?;
    }
    watch.state = OperationalState::GetQuote;
    Ok(None)
}

/// Gives the agent the verifier's half of the key, to be read with its transport key alone.
async fn provide_key(agent: &Agent<'_>, tls: &AgentTls, version: &str, watch: &Watch) -> Result<()> {
    let (Some(half), Some(pem)) = (&watch.order.v, &watch.transport_key) else { return Ok(()) };
    let half = STANDARD.decode(half).context("v is not base64")?;
    let encrypted = encrypt(pem, &half)?;
    let message = VKey { encrypted_key: STANDARD.encode(encrypted) };
    let _: Nothing = agent.ask(tls, Method::POST, &format!("/v{version}/keys/vkey"), Some(&message)).await?;
    Ok(())
}

/// RSAES-OAEP with SHA-1, as Keylime's agents decrypt.
fn encrypt(pem: &str, message: &[u8]) -> Result<Vec<u8>> {
    let key = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).context("the transport key is no public key")?;
    let PublicKey::Rsa { modulus, .. } = PublicKey::from_spki(&key)? else {
        anyhow::bail!("the transport key is no RSA key");
    };
    let mut block = vec![0; modulus.len()];
    let failed = |error| anyhow::anyhow!("encrypting to the transport key: {error:?}");
    oaep::encode::<evtpm_crypto::RustHasher>(HashAlg::Sha1, &[], message, &mut SystemRng, &mut block)
        .map_err(failed)?;
    RustCrypto::rsa_public(&modulus, 65_537, &mut block).map_err(failed)?;
    Ok(block)
}

/// How measured boot is judged, and what identifies that, where an order has a reference state that asks for something.
pub(super) async fn boot(app: &App, watch: &Watch) -> Result<Option<(BootRules, String)>> {
    let Some(name) = watch.boot_policy.as_deref() else { return Ok(None) };
    let item = app.store.item(BOOT_POLICY, name).await?;
    let item = item.with_context(|| format!("there is no measured boot policy `{name}`"))?;
    let rules = app.keylime.boot.read(&item.body).map_err(anyhow::Error::msg)?;
    Ok(rules.map(|rules| (rules, format!("{:?}:{name}:{}", app.keylime.boot, item.version))))
}

/// What identifies the policies that a boot's logs were judged by; `None` if they are not.
pub(super) fn judged_by(rules: Option<&RuntimeRules>, boot: Option<&(BootRules, String)>) -> Option<String> {
    match (rules, boot) {
        (None, None) => None,
        (Some(rules), None) => Some(rules.id.clone()),
        (rules, Some((_, boot))) => Some(format!("{boot}+{}", rules.map_or("", |rules| &rules.id))),
    }
}

/// The runtime policy of an order, where it asks for IMA's register; of an agent that pushes, it always does.
pub(super) async fn rules(app: &App, watch: &Watch) -> Result<Option<Arc<RuntimeRules>>> {
    let asks = watch.push.is_some() || evidence::asks_for_ima(&watch.tpm_policy().map_err(anyhow::Error::msg)?);
    let Some(name) = watch.policy.as_deref().filter(|_| asks) else { return Ok(None) };
    let item = app.store.item(POLICY, name).await?.with_context(|| format!("there is no runtime policy `{name}`"))?;
    let signers = watch.order.ima_sign_verification_keys.as_deref().filter(|keys| !keys.is_empty());
    let cached_as = format!("{name}\n{}", signers.unwrap_or_default());
    let rules = app.keylime.rules(&cached_as, item.version, || RuntimeRules::read(&item.body, signers));
    rules.map(Some).map_err(anyhow::Error::msg)
}
