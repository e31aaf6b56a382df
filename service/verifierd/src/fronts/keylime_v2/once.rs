// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence that is judged once and leaves nothing behind: whoever asks need not be known, as in Keylime.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_keylime::Nothing;
use evtpm_keylime::quote::QuoteText;
use evtpm_keylime::tee::TeeEvidence;
use evtpm_keylime::verifier::{
    EvidenceClaims, EvidenceFailure, EvidenceRequest, EvidenceVerdict, FailureContext, IdentityVerdict, TpmEvidence,
    TpmPolicy,
};
use evtpm_logs::PcrSet;
use evtpm_verify::tpm::{AkPublic, Issued, TrustedAk};
use serde::Deserialize;

use super::registrar::Named;
use super::reply::{Body, Refused, Reply, Success};
use super::tee;
use crate::app::{App, now};
use crate::keylime::evidence::{self, Before, Evidence, Failure, Order, Outcome};
use crate::keylime::rules::RuntimeRules;
use crate::keylime::{BootPolicy, watches};

/// Whose quote it is said to be.
#[derive(Debug, Deserialize)]
pub(super) struct IdentityQuestion {
    agent_uuid: String,
    quote: String,
    nonce: String,
    hash_alg: String,
}

/// `GET /v2.6/verify/identity`: whether a quote over this nonce is by the key of an agent that is watched, and covers the
/// transport key that the verifier knows of it.
pub(super) async fn identity(
    State(app): State<Arc<App>>,
    _named: Named,
    Query(question): Query<IdentityQuestion>,
) -> Reply<IdentityVerdict> {
    let found = watches::find(&app, &question.agent_uuid).await?;
    let (watch, _) = found.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, "agent id not found"))?;
    let ak = watch.order.ak_tpm.clone();
    let judged = app.busy(move |_| {
        let judged = quote_and_key(&question.quote, &ak).and_then(|(quote, key)| {
            let policy = TpmPolicy { mask: None, values: Default::default() };
            let order = Order {
                transport_key: watch.transport_key.as_deref(),
                asked: selected(&quote),
                ..order(&key, &policy, std::slice::from_ref(&question.hash_alg))
            };
            let nonce = Issued::recorded(question.nonce.as_bytes());
            let sent = Evidence { quote: &quote, ima_list: "", event_log: &[] };
            evidence::judge(order, sent, &Before::default(), nonce, now())
        });
        Ok(judged)
    });
    let reasons = match judged.await? {
        Ok(Outcome { failures, .. }) => failures,
        Err(failure) => vec![failure],
    };
    let reason = reasons.into_iter().next().map(|failure| failure.context);
    Ok(Success(IdentityVerdict { valid: u8::from(reason.is_none()), reason }))
}

/// `POST /v2.6/verify/evidence`
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    _named: Named,
    Body(request): Body<EvidenceRequest>,
) -> Reply<EvidenceVerdict> {
    match request {
        EvidenceRequest::Tpm(data) => of_tpm(&app, data).await,
        EvidenceRequest::Tee(data) => of_tee(&app, data).await,
    }
}

async fn of_tee(app: &Arc<App>, data: TeeEvidence) -> Reply<EvidenceVerdict> {
    if let Some(name) = tee::missing(&data) {
        return Err(missing(name));
    }
    let judged = app.busy(move |app| Ok(tee::judge(app, &data, now()))).await?;
    Ok(Success(match judged {
        Ok(claims) => verdict(EvidenceClaims::Snp(Box::new(claims)), Vec::new()),
        Err(failure) => verdict(EvidenceClaims::Nothing(Nothing), vec![failure]),
    }))
}

async fn of_tpm(app: &Arc<App>, data: Box<TpmEvidence>) -> Reply<EvidenceVerdict> {
    let required = [
        ("quote", &data.quote),
        ("nonce", &data.nonce),
        ("hash_alg", &data.hash_alg),
        ("tpm_ek", &data.tpm_ek),
        ("tpm_ak", &data.tpm_ak),
    ];
    if let Some((name, _)) = required.iter().find(|(_, value)| value.is_empty()) {
        return Err(missing(name));
    }
    if data.tpm_policy.is_empty() && data.runtime_policy.is_empty() && data.mb_policy.is_empty() {
        let message = "at least one policy (tpm_policy, runtime_policy, or mb_policy) must be provided";
        return Err(Refused::new(StatusCode::BAD_REQUEST, message));
    }
    let boot = app.keylime.boot;
    let (data, failures) = app
        .busy(move |_| {
            let failures = match judge(&data, boot) {
                Ok(Outcome { failures, .. }) => failures,
                Err(failure) => vec![failure],
            };
            Ok((data, failures))
        })
        .await?;
    let claims = if failures.is_empty() { EvidenceClaims::Tpm(data) } else { EvidenceClaims::Nothing(Nothing) };
    Ok(Success(verdict(claims, failures)))
}

fn missing(name: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, format!("missing parameter \"{name}\""))
}

fn verdict(claims: EvidenceClaims, failures: Vec<Failure>) -> EvidenceVerdict {
    let valid = failures.is_empty();
    let failures = failures.into_iter().map(|Failure { event_id, context }| EvidenceFailure {
        kind: event_id,
        context: FailureContext { message: context },
    });
    EvidenceVerdict { valid, claims, failures: failures.collect() }
}

fn judge(data: &TpmEvidence, boot_policy: BootPolicy) -> Result<Outcome, Failure> {
    let invalid = |what: &str, error: &dyn std::fmt::Display| evidence::invalid(what, error);
    let (quote, key) = quote_and_key(&data.quote, &data.tpm_ak)?;
    let policy = if data.tpm_policy.is_empty() { "{}" } else { &data.tpm_policy };
    let policy: TpmPolicy = serde_json::from_str(policy).map_err(|error| invalid("tpm_policy", &error))?;
    let rules = Some(data.runtime_policy.as_str()).filter(|policy| !policy.is_empty());
    let rules = rules.map(|document| RuntimeRules::read(document, None)).transpose();
    let rules = rules.map_err(|error| invalid("runtime_policy", &error))?;
    let boot = boot_policy.read(&data.mb_policy).map_err(|error| invalid("mb_policy", &error))?;
    let event_log = STANDARD.decode(&data.mb_log).map_err(|error| invalid("mb_log", &error))?;
    let order = Order {
        rules: rules.as_ref(),
        boot: boot.as_ref(),
        // Which registers are quoted is for the policies to want; a quote of fewer is missed by them.
        asked: selected(&quote),
        ..order(&key, &policy, std::slice::from_ref(&data.hash_alg))
    };
    let sent = Evidence { quote: &quote, ima_list: &data.ima_measurement_list, event_log: &event_log };
    evidence::judge(order, sent, &Before::default(), Issued::recorded(data.nonce.as_bytes()), now())
}

fn order<'a>(key: &'a TrustedAk, tpm_policy: &'a TpmPolicy, hashes: &'a [String]) -> Order<'a> {
    Order {
        key,
        tpm_policy,
        asked: PcrSet::EMPTY,
        rules: None,
        boot: None,
        hashes,
        signatures: evidence::Signatures::Any,
        transport_key: None,
    }
}

fn quote_and_key(quote: &str, ak: &str) -> Result<(QuoteText, TrustedAk), Failure> {
    let quote = QuoteText::parse(quote).map_err(|error| evidence::invalid("malformed", error))?;
    let ak = STANDARD.decode(ak).map_err(|error| evidence::invalid("tpm_ak", error))?;
    let ak = AkPublic::from_tpm2b(&ak).map_err(|error| evidence::invalid("tpm_ak", error))?;
    Ok((quote, TrustedAk::named(ak)))
}

/// The registers that a quote is said to be of; the signed selection has to be the same.
fn selected(quote: &QuoteText) -> PcrSet {
    quote.pcrs.iter().filter_map(|(_, pcr, _)| evtpm_logs::PcrIndex::new(u32::from(pcr))).collect()
}
