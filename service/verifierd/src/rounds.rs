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
    let JudgedRound { round, proven, verdict, after } = match judged {
        Ok(judged) => judged,
        Err(refusal) => {
            // Whatever was kept did not help: the next challenge asks for everything.
            kept.progress = None;
            return Err(refusal);
        }
    };
    let recorded = app.store.record(round).await;
    if recorded == Err(StoreError::Revoked) {
        app.live.remove(&live.attester);
        if proven {
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

/// A round that is to be recorded, and what comes of it then.
#[derive(Debug)]
struct JudgedRound {
    round: Round,
    /// Whether the quote verified, over our nonce: then the key is alive, whatever else was found.
    proven: bool,
    verdict: Verdict,
    after: Kept,
}

/// Verifies and appraises. Evidence that does not verify is a verdict too: it says what was wrong.
fn judge_round(
    app: &App,
    live: &Live,
    policy: &Compiled,
    mut kept: Kept,
    nonce: Issued<Nonce>,
    ChannelBinding(binding): ChannelBinding,
    evidence: &RuntimeEvidence,
) -> Result<JudgedRound, Refusal> {
    let at = now();
    let nonce = nonce.on_channel(QUALIFYING_LABEL, &binding);
    let values: Vec<&[u8]> = evidence.pcrs.iter().map(|value| &**value).collect();
    let quote = QuoteEvidence { message: &evidence.message, signature: &evidence.signature, values: &values };
    let mut told = None;
    let quote = live.key.verify(quote, nonce, &policy.selection, at);
    let proven = quote.is_ok();
    let judged = match quote {
        Ok(quote) => match follow_clock(&live.key, &mut kept.clock, &quote) {
            Ok(followed) => {
                told = Some(StoredClock(quote.clock()));
                if followed == Followed::NewBoot {
                    // What was known of the logs is of another boot.
                    kept.progress = None;
                }
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
    let verdict_word = Some(verdict.verdict.clone());
    let after = Kept { clock: kept.clock, progress, verdict: verdict_word, judged_by, logs: logs_there };
    Ok(JudgedRound { round, proven, verdict, after })
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

#[cfg(test)]
mod tests {
    use evtpm_appraise::Policy;
    use evtpm_client::Client;
    use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
    use evtpm_engine::{Profile, Tpm};
    use evtpm_protocol::templates::attestation_key;
    use evtpm_testing_support::{Direct, Noise, TestPlatform};
    use evtpm_tpm_wire::{HashAlg as Bank, Marshal as _, PcrIndex as Pcr, PcrSelect, TpmSu, TpmiRhHierarchy};
    use evtpm_verify::tpm::{AkPublic, Clock};

    use super::*;
    use crate::app::testing::TestApp;
    use crate::policies::DEFAULT;
    use crate::store::testing::boot;

    #[tokio::test]
    async fn a_revoked_key_that_quotes_over_our_nonce_raises_the_alarm_though_its_clock_fell() {
        let app = TestApp::new("fallen-clock");
        let policy = Policy::from_toml("version = 1\nhardware = \"none\"\n[boot]\nsecure_boot = true\n").unwrap();
        app.policies.put(DEFAULT, Compiled::new(policy).unwrap());
        // Another process registered the second boot: this one still believes in the first.
        app.store.register(boot("vm", b"id", "a1", b"ek1"), 1).await.unwrap();
        app.store.register(boot("vm", b"id", "a2", b"ek2"), 2).await.unwrap();

        let tpm = Tpm::manufacture(TestPlatform::new(Noise::Good(11)), Profile::pc_client()).unwrap();
        let mut tpm = Client::new(Direct(tpm), Noise::Good(2));
        tpm.startup(TpmSu::Clear).unwrap();
        let ak = tpm.create_primary(TpmiRhHierarchy::Endorsement, &[], &attestation_key()).unwrap();
        let mut buffer = [0; 512];
        let key = TrustedAk::named(AkPublic::from_tpmt(ak.public.to_bytes(&mut buffer).unwrap()).unwrap());
        let select = (0..=14).fold(PcrSelect::NONE, |select, pcr| select.with(Pcr::new(pcr).unwrap()));
        let pcrs = Client::<Direct, Noise>::selection(&[Bank::Sha256], select).unwrap();

        for (label, is_alive) in [(&b"another nonce"[..], false), (QUALIFYING_LABEL, true)] {
            let later = Clock { milliseconds: u64::MAX, reset_count: 0, restart_count: 0, safe: true };
            let kept = Kept { clock: Some(ClockWitness::first(later)), ..Kept::default() };
            let (attester, machine) = ("a1".to_owned(), "vm".to_owned());
            let live = Arc::new(Live { attester, machine, key: key.clone(), kept: kept.into() });
            let asked = challenge(&app, &live).await.unwrap();
            let binding = ChannelBinding([7; 32]);
            let nonce = RustCrypto::hash(HashAlg::Sha256, &[label, &asked.nonce, &binding.0]);
            let quote = tpm.quote(&ak, &[], nonce.as_bytes(), &pcrs).unwrap();
            let values = tpm.pcr_read(&pcrs).unwrap();
            let evidence = RuntimeEvidence {
                challenge: asked.challenge,
                message: quote.attest.as_bytes().into(),
                signature: quote.signature.to_bytes(&mut buffer).unwrap().into(),
                pcrs: values.iter().map(|value| value.digest.as_bytes().into()).collect(),
                event_log: (&[][..]).into(),
                ima_log: (&[][..]).into(),
                ima_from: 0,
                whole: true,
                result: false,
            };
            let refusal = answer(&app, live, binding, evidence).await.unwrap_err();
            assert_eq!(refusal.word(), "revoked-attester");
            assert_eq!(app.store.machines(None).await.unwrap()[0].clone_alarm, is_alive);
        }
    }
}
