// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Continuous attestation: a challenge, the quote that answers it, a verdict, and a record of it before anyone hears it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use evtpm_api::{BankSelection, QUALIFYING_LABEL, QuoteChallenge, RuntimeEvidence, Verdict};
use evtpm_logs::PcrIndex;
use evtpm_verify::tpm::{ClockError, ClockWitness, Issued, Nonce, Quote, QuoteEvidence, TrustedAk};

use crate::app::{App, Challenge, expiry, instant, now};
use crate::inspect::{LogsThere, Shown, logs_of_round};
use crate::judge::{self, Judged, LogEvidence};
use crate::keys::leases;
use crate::listener::ChannelBinding;
use crate::machines::identity::{self, unknown_attester};
use crate::machines::{Kept, Live, outlives_boots};
use crate::policies::Compiled;
use crate::random::{SystemRng, name};
use crate::refusal::Refusal;
use crate::store::{LogsOfRound, Note, Round, StoreError, StoredClock};

/// Bytes of logs that are judged in less time than another thread would be woken in, or little more.
const BRIEF: usize = 16 << 10;

/// Finds a believed boot, in memory or in the store. That somebody says the name of a revoked one is written down and no more:
/// names are no secret, and an alarm keeps the machine's keys back.
pub(crate) async fn live(app: &Arc<App>, attester: &str) -> Result<Arc<Live>, Refusal> {
    if let Some(live) = app.live.get(attester) {
        return Ok(live);
    }
    let boot = app.store.boot(attester).await?.ok_or_else(unknown_attester)?;
    if boot.revoked {
        let detail = format!("revoked attester {attester}, nothing proven");
        let note = Note { at: now().0, machine: Some(boot.machine), event: "revoked-attester-refused", detail };
        app.store.note(note).await?;
        return Err(StoreError::Revoked.into());
    }
    let attester = attester.to_owned();
    app.busy(move |app| identity::recall(app, attester, boot)).await
}

/// Asks a boot for a quote, and for no more of its logs than is not known yet.
pub(crate) async fn challenge(app: &Arc<App>, live: &Live) -> Result<QuoteChallenge, Refusal> {
    let policy = app.policies.of(&live.machine).ok_or_else(no_policy)?;
    let known = live.kept.lock().await.progress_under(&policy.id).map(evtpm_verify::logs::Progress::entries);
    let (expires, expires_in) = expiry();
    let nonce = Issued::<Nonce>::issue(&mut SystemRng, expires).map_err(Refusal::internal)?;
    let answer = QuoteChallenge {
        challenge: name()?,
        nonce: nonce.challenge().as_slice().into(),
        selection: selection(&policy),
        event_log: known.is_none(),
        ima_from: known.unwrap_or(0),
        expires_in,
    };
    let challenge = Challenge { attester: live.attester.clone(), nonce, policy };
    app.challenges().insert(answer.challenge.clone(), challenge, instant());
    Ok(answer)
}

/// Judges the evidence that answers a challenge, and records the verdict before it is told.
pub(crate) async fn answer(
    app: &Arc<App>,
    live: Arc<Live>,
    binding: ChannelBinding,
    evidence: RuntimeEvidence,
) -> Result<Verdict, Refusal> {
    // Taken, not borrowed: a nonce freshens one quote, right or wrong (rule 4).
    let Challenge { nonce, policy, .. } = app
        .challenges()
        .take(&evidence.challenge, instant())
        .filter(|challenge| challenge.attester == live.attester)
        .ok_or_else(|| {
            Refusal::unknown("unknown-challenge", "this challenge does not exist, was answered or has expired")
        })?;
    let began = Instant::now();
    let mut kept = live.kept.lock().await;
    if kept.logs.is_unknown_to(&evidence) {
        kept.logs = LogsThere::found(app.store.kept_ima(&live.attester).await?);
    }
    let before = kept.clone();
    let judged = if evidence.event_log.len().saturating_add(evidence.ima_log.len()) <= BRIEF {
        app.brief(|app| judge_round(app, &live, &policy, before, nonce, binding, &evidence)).await
    } else {
        let live = live.clone();
        app.busy(move |app| judge_round(app, &live, &policy, before, nonce, binding, &evidence)).await
    };
    let (round, verdict, after) = match judged {
        Ok(judged) => judged,
        Err(refusal) => {
            // Whatever was kept did not help: the next challenge asks for everything.
            kept.progress = None;
            return Err(refusal);
        }
    };
    let is_proven = round.clock.is_some();
    let recorded = app.store.record(round).await;
    if recorded == Err(StoreError::Revoked) {
        app.live.remove(&live.attester);
        if is_proven {
            alarm(app, &live.machine, &live.attester).await?;
        }
    }
    recorded?;
    app.metrics.round(&verdict.verdict, began.elapsed());
    if kept.verdict != after.verdict {
        let reason = verdict.findings.first().map(|finding| finding.message.as_str()).unwrap_or_default();
        app.events.tell(now().0, &live.machine, &verdict.verdict, reason);
    }
    *kept = after;
    if verdict.verdict != "trusted" {
        leases::review_or_later(app, &live.machine).await;
    }
    Ok(verdict)
}

/// Two live endorsement keys of one identity, the revoked one proven just now: written down, and told.
pub(crate) async fn alarm(app: &App, machine: &str, attester: &str) -> Result<(), StoreError> {
    app.store.raise_clone_alarm(machine, attester, now().0).await?;
    app.metrics.clone_alarms.fetch_add(1, Relaxed);
    app.events.tell(now().0, machine, "clone-alarm", format!("revoked attester {attester} is alive"));
    Ok(())
}

/// Verifies and appraises. Evidence that does not verify is a verdict too: it says what was wrong.
fn judge_round(
    app: &App,
    live: &Live,
    policy: &Compiled,
    kept: Kept,
    nonce: Issued<Nonce>,
    ChannelBinding(binding): ChannelBinding,
    evidence: &RuntimeEvidence,
) -> Result<(Round, Verdict, Kept), Refusal> {
    let at = now();
    let nonce = nonce.on_channel(QUALIFYING_LABEL, &binding);
    let values: Vec<&[u8]> = evidence.pcrs.iter().map(|value| &**value).collect();
    let quote = QuoteEvidence { message: &evidence.message, signature: &evidence.signature, values: &values };
    let mut clock = kept.clock;
    let mut told = None;
    let judged = match live.key.verify(quote, nonce, &policy.selection, at) {
        Ok(quote) => match follow_clock(&live.key, &mut clock, &quote) {
            Ok(followed) => {
                told = Some(StoredClock(quote.clock()));
                // What was known of the logs is of another boot.
                let kept = if followed == Followed::NewBoot { Kept::default() } else { kept.clone() };
                judge::runtime(policy, &live.key, quote, logs(&kept, policy, evidence)?, at)?
            }
            Err(error) => judge::refused(policy, &live.key, &error, at)?,
        },
        Err(error) => judge::refused(policy, &live.key, &error, at)?,
    };
    let Judged { appraisal, progress } = judged;
    let quote_verified = told.is_some();
    let (logs, logs_there) = match quote_verified {
        true => logs_of_round(evidence, kept.logs, app.settings.kept_logs),
        false => (LogsOfRound::Nothing, kept.logs),
    };
    let shown = Shown::of(evidence, &appraisal, quote_verified);
    let verdict = judge::verdict(evidence.result.then_some(&app.signer), &policy.id, &appraisal, at)?;
    let progress = progress.map(|progress| (policy.id.clone(), progress));
    let round = Round {
        attester: live.attester.clone(),
        at: at.0,
        verdict: verdict.verdict.clone(),
        findings: serde_json::to_string(&verdict.findings).map_err(Refusal::internal)?,
        clock: told,
        progress: progress.as_ref().map(|(policy, progress)| (policy.clone(), progress.to_bytes())),
        shown: Some(serde_json::to_string(&shown).map_err(Refusal::internal)?),
        logs,
    };
    let judged_by = Some(policy.id.clone());
    let kept = Kept { clock, progress, verdict: Some(verdict.verdict.clone()), judged_by, logs: logs_there };
    Ok((round, verdict, kept))
}

/// How a quote's clock stands to the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Followed {
    SameBoot,
    NewBoot,
}

/// "resetCount/restartCount may not fall; a changed resetCount is a new boot and needs a new report for a new EK" (rule 5): but
/// where the EK outlives boots.
fn follow_clock(key: &TrustedAk, witness: &mut Option<ClockWitness>, quote: &Quote) -> Result<Followed, ClockError> {
    let clock = quote.clock();
    let (followed, next) = match witness.map(|witness| witness.follow(clock)) {
        Some(Ok(next)) => (Followed::SameBoot, next),
        Some(Err(ClockError::NewBoot { .. })) if outlives_boots(key) => (Followed::NewBoot, ClockWitness::first(clock)),
        Some(Err(error)) => return Err(error),
        None => (Followed::SameBoot, ClockWitness::first(clock)),
    };
    *witness = Some(next);
    Ok(followed)
}

/// Finds out whether the logs came whole or from where they were known to.
fn logs<'a>(kept: &'a Kept, policy: &Compiled, evidence: &'a RuntimeEvidence) -> Result<LogEvidence<'a>, Refusal> {
    let ima_log = &*evidence.ima_log;
    match kept.progress_under(&policy.id) {
        Some(since) if !evidence.whole && since.entries() == evidence.ima_from => {
            Ok(LogEvidence::Grown { since, ima_log })
        }
        _ if evidence.whole => Ok(LogEvidence::Whole { event_log: &evidence.event_log, ima_log }),
        _ => Err(Refusal::resend("the list goes on from where it is not known to stand")),
    }
}

fn no_policy() -> Refusal {
    Refusal::unknown("no-policy", "the operator has given no policy for this machine")
}

fn selection(policy: &Compiled) -> Vec<BankSelection> {
    let pcrs = |pcrs: evtpm_logs::PcrSet| pcrs.iter().map(PcrIndex::value).collect();
    policy.selection.iter().map(|(bank, set)| BankSelection { bank: bank.to_string(), pcrs: pcrs(set) }).collect()
}
