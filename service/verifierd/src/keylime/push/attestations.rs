// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestations: one begins with what the agent can show, and ends with a verdict on what it showed.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_keylime::push::{
    Capabilities, CertificationData, CollectedEvidence, EvidenceCollected, EvidenceState, EvidenceSupported, LogData,
};
use evtpm_keylime::quote::{PcrBlob, QuoteText};
use evtpm_keylime::verifier::OperationalState;
use evtpm_verify::UnixTime;
use evtpm_verify::logs::Progress;
use evtpm_verify::tpm::{AkPublic, Issued, Nonce, TrustedAk};

use super::capabilities::{Wanted, choose};
use super::{Attestation, KEPT, Push, Turned, Verdict};
use crate::app::{App, expiry, now};
use crate::keylime::evidence::{self, Before, Evidence, Failure, Order, Outcome, Signatures};
use crate::keylime::rounds::{self, milliseconds};
use crate::keylime::watches::{self, WATCHED, Watch};
use crate::random::SystemRng;
use crate::refusal::Refusal;
use crate::store::Item;

/// Milliseconds in which the evidence has to come (Keylime's default is half an hour; a quote takes seconds).
const CHALLENGE: u64 = 300_000;

/// The type of IMA's list; the other log is the firmware's.
const IMA_LOG: &str = "ima_log";

/// An agent's order with what is needed to write it back.
type Found = (Watch, Item);

/// Begins an attestation: chooses what the agent has to show.
pub(crate) async fn create(app: &Arc<App>, found: Found, capabilities: Capabilities) -> Result<Attestation, Turned> {
    let (mut watch, item) = found;
    check_enabled(&watch, &item.name)?;
    let rules = rounds::rules(app, &watch).await.map_err(internal)?;
    let boot = rounds::boot(app, &watch).await.map_err(internal)?;
    let before = watch.before(rounds::judged_by(rules.as_deref(), boot.as_ref()).as_deref());
    let push = watch.push.get_or_insert_default();
    let wait = push.seconds_to_next();
    if wait > 0 {
        let detail = format!(
            "Cannot create attestation for agent '{}' before the configured interval has elapsed. \
             Wait {wait} seconds before trying again.",
            item.name
        );
        return Err(Turned::new(429, "premature_attestation", detail).after(wait));
    }
    let stands_at = before.progress.as_ref().map_or(0, Progress::entries);
    // A list that is shorter than it was is another boot's, whatever the agent says of its start.
    let is_shorter = entries(&capabilities).is_some_and(|entries| entries < stands_at);
    let is_new_boot = before.progress.is_none() || is_shorter || !push.is_of_last_boot(&capabilities);
    let ima_from = if is_new_boot { 0 } else { stands_at };
    let nonce = Issued::<Nonce>::issue(&mut SystemRng, expiry().0).map_err(Refusal::internal)?;
    let policy = watch.tpm_policy().map_err(internal)?;
    let wanted = Wanted {
        pcrs: evidence::required(&policy, rules.is_some(), boot.is_some()).map_err(internal)?,
        hashes: &watch.order.accept_tpm_hash_algs,
        signatures: &watch.order.accept_tpm_signing_algs,
        ak: &watch.order.ak_tpm,
        ima_from: rules.is_some().then_some(ima_from),
        boot_log: boot.is_some() && is_new_boot,
    };
    let challenge = STANDARD.encode(nonce.challenge());
    let evidence = choose(wanted, &capabilities.evidence_supported, &challenge).map_err(Turned::invalid)?;
    let at = milliseconds();
    let push = watch.push.get_or_insert_default();
    let attestation = Attestation {
        index: push.next_index,
        system_info: capabilities.system_info,
        received_at: at,
        expires_at: at + CHALLENGE,
        evidence,
        evidence_received_at: None,
        verdict: None,
    };
    push.add(attestation.clone());
    let due_at = item.due_at;
    app.store.put_item(WATCHED, watches::write(&watch, item, due_at)?, None).await?;
    Ok(attestation)
}

/// Takes the evidence of the latest attestation, judges it, and writes the verdict down. Returns the attestation and the
/// seconds until the next one.
pub(crate) async fn submit(
    app: &Arc<App>,
    found: Found,
    index: Option<u64>,
    collected: CollectedEvidence,
) -> Result<(Attestation, u64), Turned> {
    let (mut watch, item) = found;
    check_enabled(&watch, &item.name)?;
    let (was, began) = (watch.state, Instant::now());
    let awaiting = watch.push.as_ref().map(|push| push.awaiting(index, &item.name)).transpose()?.flatten();
    let nothing = || Turned::not_found(format!("No attestation exists for agent '{}'.", item.name));
    let mut attestation = awaiting.ok_or_else(nothing)?;
    let shown = Shown::take(&mut attestation, collected)?;

    let failures = judge(app, &mut watch, &attestation, shown).await?;
    let at = milliseconds();
    attestation.evidence_received_at = Some(at);
    attestation.verdict = Some(verdict(failures.as_deref()));
    watch.last_received_quote = now().0;
    watch.last_event_id = failures.iter().flatten().next().map(|failure| failure.event_id.clone());
    if failures.is_none() {
        watch.state = OperationalState::GetQuote;
        watch.attestation_count = watch.attestation_count.saturating_add(1);
        watch.last_successful_attestation = now().0;
    } else {
        watch.state = OperationalState::InvalidQuote;
    }
    let push = watch.push.get_or_insert_default();
    push.end(attestation.clone());
    let (next, late_at) = (push.seconds_to_next(), push.late_at());
    let line = rounds::verdict(&item.name, failures.as_deref());
    let name = item.name.clone();
    // The challenge is used up by this write: it is refused if another request has written meanwhile.
    app.store.put_item(WATCHED, watches::write(&watch, item, Some(late_at))?, Some(line)).await?;
    app.metrics.round(if failures.is_some() { "untrusted" } else { "trusted" }, began.elapsed());
    if let Some(failures) = failures.as_deref().filter(|_| was != OperationalState::InvalidQuote) {
        app.keylime.revoked.tell(&name, &watch, failures);
    }
    rounds::tell(app, &name, was, &Ok(failures));
    Ok((attestation, next))
}

/// An operator may have stopped it.
fn check_enabled(watch: &Watch, agent: &str) -> Result<(), Turned> {
    if watch.state != OperationalState::TenantFailed {
        return Ok(());
    }
    let detail = format!("Attestations for agent '{agent}' are currently disabled.");
    Err(Turned::new(403, "agent_attestations_disabled", detail))
}

fn verdict(failures: Option<&[Failure]>) -> Verdict {
    let Some(failures) = failures else { return Verdict::Pass };
    let is_broken = |failure: &Failure| {
        ["quote_validation.", "measured_boot.invalid_pcr_", "ima.pcr_mismatch"]
            .iter()
            .any(|prefix| failure.event_id.starts_with(prefix))
    };
    if failures.iter().any(is_broken) { Verdict::Broken } else { Verdict::Violation }
}

/// What the agent showed.
struct Shown {
    quote: CertificationData,
    ima_list: String,
    event_log: String,
}

impl Shown {
    /// Takes the evidence, which has to be what was asked for in that order; the attestation keeps all but the logs.
    fn take(attestation: &mut Attestation, collected: CollectedEvidence) -> Result<Self, Turned> {
        let (expected, actual) = (attestation.evidence.len(), collected.evidence_collected.len());
        if expected != actual {
            let detail =
                format!("evidence_collected must contain the {expected} elements that were requested, not {actual}");
            return Err(Turned::invalid(detail));
        }
        let mut shown =
            Shown { quote: CertificationData::default(), ima_list: String::new(), event_log: String::new() };
        for (kept, collected) in attestation.evidence.iter_mut().zip(collected.evidence_collected) {
            match (kept, collected) {
                (
                    EvidenceState::Certification { evidence_type, data: kept, .. },
                    EvidenceCollected::Certification { evidence_type: actual, data },
                ) if *evidence_type == actual => {
                    shown.quote = data.clone();
                    *kept = Some(data);
                }
                (
                    EvidenceState::Log { evidence_type, data: kept, .. },
                    EvidenceCollected::Log { evidence_type: actual, data },
                ) if *evidence_type == actual => {
                    *kept = Some(LogData { entry_count: data.entry_count, entries: None });
                    let entries = data.entries.unwrap_or_default();
                    if *evidence_type == *IMA_LOG { shown.ima_list = entries } else { shown.event_log = entries }
                }
                _ => {
                    return Err(Turned::invalid(
                        "evidence_collected must appear in the order of the evidence requested",
                    ));
                }
            }
        }
        Ok(shown)
    }
}

/// Judges; `None` is an agent that is as it should be.
async fn judge(
    app: &Arc<App>,
    watch: &mut Watch,
    attestation: &Attestation,
    shown: Shown,
) -> Result<Option<Vec<Failure>>, Turned> {
    let (parameters, first) = asked_for(attestation).ok_or_else(|| internal("an attestation without a quote"))?;
    let rules = rounds::rules(app, watch).await.map_err(internal)?;
    let boot = rounds::boot(app, watch).await.map_err(internal)?;
    let policy = rounds::judged_by(rules.as_deref(), boot.as_ref());
    let before = before(watch, policy.as_deref(), first, (rules.is_some(), boot.is_some()), has_boot_log(attestation))?;
    let tpm_policy = watch.tpm_policy().map_err(internal)?;
    let pcrs = parameters.selected_subjects.values().flatten().copied();
    let asked = pcrs.filter_map(evtpm_logs::PcrIndex::new).collect();
    let ak = STANDARD.decode(&watch.order.ak_tpm).map_err(|error| internal(format!("ak_tpm: {error}")))?;
    let key = TrustedAk::named(AkPublic::from_tpm2b(&ak).map_err(internal)?);
    let challenge = STANDARD.decode(&parameters.challenge).map_err(internal)?;
    let nonce = Issued::kept(&challenge, UnixTime(attestation.expires_at / 1_000));
    watch.hash_alg.clone_from(&parameters.hash_algorithm);
    watch.sign_alg.clone_from(&parameters.signature_scheme);
    let (hashes, signatures) = (vec![parameters.hash_algorithm], vec![parameters.signature_scheme]);
    let judged = app.busy(move |_| {
        let outcome = read(&shown.quote).and_then(|quote| {
            let order = Order {
                key: &key,
                tpm_policy: &tpm_policy,
                asked,
                rules: rules.as_deref(),
                boot: boot.as_ref().map(|(boot, _)| boot),
                hashes: &hashes,
                signatures: Signatures::These(&signatures),
                transport_key: None,
            };
            let event_log = evidence::event_log(&shown.event_log)?;
            let sent = Evidence { quote: &quote, ima_list: &shown.ima_list, event_log: &event_log };
            evidence::judge(order, sent, &before, nonce, now())
        });
        Ok(outcome)
    });
    let Outcome { failures, after, quote } = match judged.await? {
        Ok(outcome) => outcome,
        Err(failure) => return Ok(Some(vec![failure])),
    };
    watch.keep(quote.clock(), policy.as_deref(), after.progress.as_ref());
    Ok((!failures.is_empty()).then_some(failures))
}

/// What earlier evidence left, as far as the logs that were asked for go on from it. They do not if the policy was changed
/// meanwhile.
fn before(
    watch: &Watch,
    policy: Option<&str>,
    first: Option<u64>,
    (with_list, with_boot): (bool, bool),
    has_boot_log: bool,
) -> Result<Before, Turned> {
    let mut before = watch.before(policy);
    let stands_at = before.progress.as_ref().map_or(0, Progress::entries);
    let from_start = has_boot_log || first == Some(0);
    let goes_on = before.progress.is_some() && first.is_none_or(|first| first == stands_at);
    let fits = with_list == first.is_some() && (goes_on || (from_start || !with_list) && (has_boot_log || !with_boot));
    if !fits {
        let detail = "The agent's policy was changed since this attestation began. Create a new one and try again.";
        return Err(Turned::new(409, "conflict", detail));
    }
    if from_start {
        before.progress = None;
    }
    Ok(before)
}

/// Tells whether the firmware's log was asked for.
fn has_boot_log(attestation: &Attestation) -> bool {
    let is_it = |evidence: &EvidenceState| matches!(evidence, EvidenceState::Log { evidence_type, .. } if evidence_type != IMA_LOG);
    attestation.evidence.iter().any(is_it)
}

/// How many entries IMA's list has.
fn entries(capabilities: &Capabilities) -> Option<u64> {
    capabilities.evidence_supported.iter().find_map(|evidence| match evidence {
        EvidenceSupported::Log { evidence_type, capabilities } if evidence_type == IMA_LOG => capabilities.entry_count,
        _ => None,
    })
}

/// What the quote was asked with, and from where on the list.
fn asked_for(attestation: &Attestation) -> Option<(evtpm_keylime::push::CertificationParameters, Option<u64>)> {
    let quote = attestation.evidence.iter().find_map(|evidence| match evidence {
        EvidenceState::Certification { chosen_parameters, .. } => Some(chosen_parameters.clone()),
        EvidenceState::Log { .. } => None,
    });
    let first = attestation.evidence.iter().find_map(|evidence| match evidence {
        EvidenceState::Log { evidence_type, chosen_parameters, .. } if evidence_type == IMA_LOG => {
            chosen_parameters.starting_offset
        }
        _ => None,
    });
    Some((quote?, first))
}

fn read(data: &CertificationData) -> Result<QuoteText, Failure> {
    let malformed = |error: &dyn std::fmt::Display| evidence::invalid("malformed", error);
    let decode = |text: &str| STANDARD.decode(text).map_err(|error| malformed(&error));
    Ok(QuoteText {
        message: decode(&data.message)?,
        signature: decode(&data.signature)?,
        pcrs: PcrBlob::parse(&decode(&data.subject_data)?).map_err(|error| malformed(&error))?,
    })
}

fn internal(error: impl std::fmt::Display) -> Turned {
    Refusal::internal(error).into()
}

impl Push {
    /// Tells whether the machine was started when it says that it was at the last attestation that passed.
    fn is_of_last_boot(&self, capabilities: &Capabilities) -> bool {
        let passed = self.attestations.iter().rev().find(|attestation| attestation.verdict == Some(Verdict::Pass));
        passed.is_some_and(|passed| passed.system_info.boot_time == capabilities.system_info.boot_time)
    }

    /// Keeps a new attestation, in place of one that nobody finished.
    fn add(&mut self, attestation: Attestation) {
        self.next_index = self.next_index.saturating_add(1);
        self.attestations.retain(|attestation| attestation.verdict.is_some());
        self.attestations.push(attestation);
        let forgotten = self.attestations.len().saturating_sub(KEPT);
        self.attestations.drain(..forgotten);
    }

    /// Writes down how the latest attestation ended.
    fn end(&mut self, attestation: Attestation) {
        match attestation.verdict {
            Some(Verdict::Pass) => {
                self.failures = 0;
                // A quote by the key is as good a proof of it as the one that began the session.
                if let Some(token) = &mut self.token {
                    token.expires_at = milliseconds() + super::SESSION;
                }
            }
            _ => self.failures = self.failures.saturating_add(1),
        }
        if let Some(latest) = self.attestations.last_mut() {
            *latest = attestation;
        }
    }

    /// The latest attestation, if it is the one that is meant and waits for its evidence.
    fn awaiting(&self, index: Option<u64>, agent: &str) -> Result<Option<Attestation>, Turned> {
        let Some(latest) = self.attestations.last() else { return Ok(None) };
        let named = latest.index;
        if let Some(index) = index.filter(|index| *index != named) {
            let detail = format!(
                "Attestation {index} is not the latest for agent '{agent}'. \
                 Only evidence for the most recent attestation may be updated."
            );
            return Err(Turned::new(403, "old_attestation", detail));
        }
        if latest.verdict.is_some() {
            let detail =
                format!("Cannot alter evidence for attestation {named} which has already been received and accepted.");
            return Err(Turned::new(403, "evidence_immutable", detail));
        }
        if milliseconds() >= latest.expires_at {
            let detail = format!("Challenges for attestation {named} expired. Create a new attestation and try again.");
            return Err(Turned::new(403, "challenges_expired", detail));
        }
        Ok(Some(latest.clone()))
    }
}
