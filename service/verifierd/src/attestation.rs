// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two steps of an attestation: a nonce, and the quote with the logs behind it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use evtpm_api::{BankSelection, QUALIFYING_LABEL, QuoteChallenge, RuntimeEvidence, Verdict};
use evtpm_logs::PcrIndex;
use evtpm_verify::tpm::{ClockWitness, Issued, Nonce, Quote, QuoteEvidence};

use crate::app::{App, Attester, Challenge, expiry, instant, now};
use crate::listener::ChannelBinding;
use crate::random::{SystemRng, name};
use crate::refusal::Refusal;

/// `POST /v1/attesters/{id}/challenges`
pub(crate) async fn challenge(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<QuoteChallenge>), Refusal> {
    live_attester(&app, &id)?;
    let (expires, expires_in) = expiry();
    let nonce = Issued::<Nonce>::issue(&mut SystemRng, expires).map_err(Refusal::internal)?;
    let answer = QuoteChallenge {
        challenge: name()?,
        nonce: nonce.challenge().as_slice().into(),
        selection: selection(&app),
        expires_in,
    };
    app.challenges().insert(answer.challenge.clone(), Challenge { attester: id, nonce }, instant());
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `PUT /v1/attesters/{id}/evidence`
pub(crate) async fn evidence(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Extension(binding): Extension<ChannelBinding>,
    body: Result<Json<RuntimeEvidence>, JsonRejection>,
) -> Result<Json<Verdict>, Refusal> {
    let Json(evidence) = body?;
    let (attester, machine) = live_attester(&app, &id)?;
    // Taken, not borrowed: a nonce freshens one quote, right or wrong (rule 4).
    let challenge =
        app.challenges().take(&evidence.challenge, instant()).filter(|challenge| challenge.attester == id).ok_or_else(
            || Refusal::unknown("unknown-challenge", "this challenge does not exist, was answered or has expired"),
        )?;
    app.busy(move |app| {
        let verdict = judge(app, &id, attester, challenge.nonce, binding, &evidence)?;
        app.store().record(&machine, &id, &verdict, now().0)?;
        Ok(verdict)
    })
    .await
    .map(Json)
}

/// Verifies and appraises. Evidence that does not verify is a verdict too: it says what was wrong.
fn judge(
    app: &App,
    id: &str,
    attester: Attester,
    nonce: Issued<Nonce>,
    ChannelBinding(binding): ChannelBinding,
    evidence: &RuntimeEvidence,
) -> Result<Verdict, Refusal> {
    let nonce = nonce.on_channel(QUALIFYING_LABEL, &binding);
    let values: Vec<&[u8]> = evidence.pcrs.iter().map(|value| &**value).collect();
    let quote = QuoteEvidence { message: &evidence.message, signature: &evidence.signature, values: &values };
    let verified = attester.key.verify(quote, nonce, &app.selection, now());
    match verified {
        Ok(quote) => match follow_clock(app, id, &attester, &quote) {
            Ok(()) => app.judge.runtime(&attester.key, quote, evidence, now()),
            Err(error) => app.judge.refused(&attester.key, &error, now()),
        },
        Err(error) => app.judge.refused(&attester.key, &error, now()),
    }
}

/// "resetCount/restartCount may not fall; a changed resetCount is a new boot and needs a new report" (rule 5).
fn follow_clock(app: &App, id: &str, attester: &Attester, quote: &Quote) -> Result<(), evtpm_verify::tpm::ClockError> {
    let witness = match attester.clock {
        Some(witness) => witness.follow(quote.clock())?,
        None => ClockWitness::first(quote.clock()),
    };
    if let Some(attester) = app.attesters().get_mut(id) {
        attester.clock = Some(witness);
    }
    Ok(())
}

/// Finds a believed attester; a revoked one that still speaks raises the clone alarm.
fn live_attester(app: &App, id: &str) -> Result<(Attester, crate::store::Attester), Refusal> {
    let unknown = || Refusal::unknown("unknown-attester", "this attester is not known here: register again");
    let known = app.store().attester(id)?.ok_or_else(unknown)?;
    if known.revoked {
        app.store().raise_clone_alarm(&known.machine, id, now().0)?;
        app.attesters().remove(id);
        return Err(Refusal::evidence("this endorsement key was revoked when the machine registered with a newer one"));
    }
    // Belief is not stored: after a restart of the verifier only a new proof makes it.
    let attester = app.attesters().get(id).cloned().ok_or_else(unknown)?;
    Ok((attester, known))
}

fn selection(app: &App) -> Vec<BankSelection> {
    app.selection
        .iter()
        .map(|(bank, pcrs)| BankSelection { bank: bank.to_string(), pcrs: pcrs.iter().map(PcrIndex::value).collect() })
        .collect()
}
