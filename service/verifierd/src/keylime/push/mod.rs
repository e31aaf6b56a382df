// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Agents that push: they open a session by their attestation key, say what they can show, and show what is asked for.
//!
//! Everything is kept in the agent's order ([`Watch`]), so that any process may take the next request, and a challenge
//! is used up by the same write that records its verdict.

mod attestations;
mod capabilities;
mod limits;
mod sessions;
mod time;

use evtpm_crypto::constant_time_eq;
use evtpm_keylime::push::{AttestationState, EvidenceState, SystemInfo};
use evtpm_keylime::verifier::OperationalState;
use serde::{Deserialize, Serialize};

pub(crate) use attestations::{create, submit};
pub(crate) use limits::Limits;
pub(crate) use sessions::{Opened, Proof, open, prove};
pub(crate) use time::rfc3339;

use super::rounds::{milliseconds, note};
use super::watches::{self, INTERVAL, LATE, WATCHED, Watch};
use crate::access::digest;
use crate::app::{App, now};
use crate::hex::{hex, unhex};
use crate::refusal::Refusal;
use crate::store::{Item, StoreError};

/// Attestations that are kept of each agent.
const KEPT: usize = 3;
/// Milliseconds for which a token is good; each attestation that passes lets it begin anew (Keylime's default).
const SESSION: u64 = 180_000;

/// What is kept of an agent that pushes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Push {
    token: Option<Token>,
    /// The number of the next attestation.
    next_index: u64,
    /// The last ones, the newest at the end.
    attestations: Vec<Attestation>,
    /// Attestations that failed, one after the other.
    failures: u32,
}

/// A token, without what is secret in it. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Token {
    digest: String,
    expires_at: u64,
}

/// One attestation. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Attestation {
    pub(crate) index: u64,
    pub(crate) system_info: SystemInfo,
    pub(crate) received_at: u64,
    pub(crate) expires_at: u64,
    pub(crate) evidence: Vec<EvidenceState>,
    pub(crate) evidence_received_at: Option<u64>,
    verdict: Option<Verdict>,
}

/// What came of an attestation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Verdict {
    Pass,
    /// The evidence does not hold together.
    Broken,
    /// It is not what the tenant ordered.
    Violation,
}

impl Push {
    /// Tells whether this is the token of a session that goes on.
    pub(crate) fn admits(&self, token: &[u8]) -> bool {
        self.token.as_ref().is_some_and(|known| {
            let expected = unhex(&known.digest).unwrap_or_default();
            constant_time_eq(&digest(token), &expected) && milliseconds() < known.expires_at
        })
    }

    /// Begins a session; one that was before ends. Returns when it ends.
    pub(crate) fn begin_session(&mut self, token: &str) -> u64 {
        let expires_at = milliseconds() + SESSION;
        self.token = Some(Token { digest: hex(&digest(token.as_bytes())), expires_at });
        expires_at
    }

    /// Lists the attestations that are kept, the newest at the end.
    pub(crate) fn attestations(&self) -> &[Attestation] {
        &self.attestations
    }

    /// Forgets what another key, or an earlier boot, began.
    pub(crate) fn restart(&mut self) {
        self.token = None;
        self.failures = 0;
        self.attestations.retain(|attestation| attestation.verdict.is_some());
    }

    /// Seconds between the last evidence and the next attestation: more after each that failed.
    fn pause(&self) -> u64 {
        watches::wait_after(self.failures)
    }

    /// Seconds until the next attestation may begin.
    pub(crate) fn seconds_to_next(&self) -> u64 {
        let last = self.attestations.last().and_then(|last| last.evidence_received_at);
        let next = last.map_or(0, |last| last.saturating_add(self.pause() * 1_000));
        next.saturating_sub(milliseconds()).div_ceil(1_000)
    }

    /// Lets the next attestation begin at once, in a test.
    #[cfg(test)]
    pub(crate) fn forget_pause(&mut self) {
        for attestation in &mut self.attestations {
            attestation.evidence_received_at = attestation.evidence_received_at.map(|_| 1);
        }
    }

    /// When the agent has been silent for too long.
    fn late_at(&self) -> u64 {
        milliseconds() + (self.pause() * (LATE / INTERVAL)) * 1_000
    }
}

impl Attestation {
    /// Shows the attestation as it stands.
    pub(crate) fn state(&self) -> AttestationState {
        let (evaluation, failure_reason) = match self.verdict {
            None => ("pending", None),
            Some(Verdict::Pass) => ("pass", None),
            Some(Verdict::Broken) => ("fail", Some("broken_evidence_chain")),
            Some(Verdict::Violation) => ("fail", Some("policy_violation")),
        };
        let stage = if self.verdict.is_some() { "verification_complete" } else { "awaiting_evidence" };
        AttestationState {
            stage: stage.to_owned(),
            evaluation: Some(evaluation.to_owned()),
            failure_reason: failure_reason.map(str::to_owned),
            evidence: self.evidence.clone(),
            system_info: self.system_info.clone(),
            capabilities_received_at: rfc3339(self.received_at),
            challenges_expire_at: rfc3339(self.expires_at),
            evidence_received_at: self.evidence_received_at.map(rfc3339),
            verification_completed_at: self.evidence_received_at.map(rfc3339),
        }
    }

    /// Acknowledges the evidence: as in Keylime, the agent is not told what came of it.
    pub(crate) fn acknowledgement(&self) -> AttestationState {
        AttestationState {
            stage: "evaluating_evidence".to_owned(),
            evaluation: None,
            failure_reason: None,
            verification_completed_at: None,
            ..self.state()
        }
    }
}

/// Why a request of an agent that pushes is refused, by Keylime's codes.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    /// Seconds after which the same request may be good.
    pub(crate) retry_after: Option<u64>,
}

impl Turned {
    pub(crate) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Turned { status, code, detail: detail.into(), retry_after: None }
    }

    pub(crate) fn after(self, seconds: u64) -> Self {
        Turned { retry_after: Some(seconds), ..self }
    }

    /// The resource's data are not what they have to be.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Turned::new(422, "invalid_resource_data", detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Turned::new(404, "not_found", detail)
    }
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Self {
        let turned = Turned::new(refusal.status().as_u16(), "refused", refusal.message());
        // What is overloaded now need not be so for long.
        if turned.status == 503 { turned.after(INTERVAL) } else { turned }
    }
}

impl From<StoreError> for Turned {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Changed(agent) => {
                let detail = format!("Agent '{agent}' was changed while this request was processed.");
                Turned::new(409, "conflict", detail)
            }
            error => Refusal::from(error).into(),
        }
    }
}

/// Writes down that an agent was silent for too long; its next evidence counts as any other.
pub(super) async fn note_silence(app: &App, mut watch: Watch, item: Item) -> anyhow::Result<()> {
    if !matches!(watch.state, OperationalState::GetQuote | OperationalState::GetQuoteRetry) {
        // It is failed, or was stopped: silence does not change that.
        return Ok(app.store.put_item(WATCHED, Item { due_at: None, ..item }, None).await?);
    }
    let name = item.name.clone();
    let detail = format!("no evidence since {}", rfc3339(watch.last_received_quote.saturating_mul(1_000)));
    let line = note(&name, "unreachable", detail.clone());
    watch.state = OperationalState::GetQuoteRetry;
    let item = watches::write(&watch, item, None).map_err(|refusal| anyhow::anyhow!("{}", refusal.message()))?;
    match app.store.put_item(WATCHED, item, Some(line)).await {
        Ok(()) => {
            app.events.tell(now().0, &name, "unreachable", detail);
            Ok(())
        }
        // It spoke in this moment.
        Err(StoreError::Changed(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
pub(super) mod tests;
