// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A changed policy tried on the evidence that is kept: which machines would get another verdict.

use std::sync::Arc;

use evtpm_api::{PolicyEffect, VerdictChange};
use evtpm_tpm_wire::{Supported, TpmsAttest, from_bytes};
use evtpm_verify::tpm::{Issued, QualifyingData, Quote, QuoteEvidence};

use super::Shown;
use super::logs::contiguous;
use crate::app::{App, now};
use crate::judge::{self, LogEvidence};
use crate::machines::Live;
use crate::policies::{Compiled, DEFAULT};
use crate::refusal::Refusal;
use crate::rounds;
use crate::store::KeptLogs;

/// Machines that are judged again in one request; the others are counted.
const MOST: u64 = 1_000;

/// Tries a policy in place of the one called `name`, and changes nothing.
pub(crate) async fn try_on(app: &Arc<App>, name: &str, changed: Compiled) -> Result<PolicyEffect, Refusal> {
    let changed = Arc::new(changed);
    let mut effect = effect(name, &changed, false);
    for row in app.store.machines(None).await? {
        if row.policy.as_deref().unwrap_or(DEFAULT) != name || row.boots == 0 {
            continue;
        }
        let judged = if effect.judged < MOST { judge_again(app, &row.name, &changed).await? } else { None };
        let Some((from, to, reason)) = judged else {
            effect.not_judged = effect.not_judged.saturating_add(1);
            continue;
        };
        effect.judged = effect.judged.saturating_add(1);
        if from != to {
            effect.changes.push(VerdictChange { machine: row.name, from, to, reason });
        }
    }
    Ok(effect)
}

/// An effect on no machine yet.
pub(crate) fn effect(name: &str, changed: &Compiled, is_changed: bool) -> PolicyEffect {
    let (policy, id) = (name.to_owned(), changed.id.clone());
    PolicyEffect { policy, id, changed: is_changed, judged: 0, not_judged: 0, changes: Vec::new() }
}

/// The verdicts by the present policy and by the changed one, with the latter's worst finding; `None` where what is kept is
/// not enough to judge by.
async fn judge_again(
    app: &Arc<App>,
    machine: &str,
    changed: &Arc<Compiled>,
) -> Result<Option<(String, String, String)>, Refusal> {
    let Some(present) = app.store.present_boot(machine).await? else { return Ok(None) };
    let shown = present.shown.as_deref().and_then(|shown| serde_json::from_str::<Shown>(shown).ok());
    let Some(shown) = shown.filter(|shown| shown.quote_verified) else { return Ok(None) };
    let logs = app.store.logs(&present.attester).await?;
    let Some(policy) = app.policies.of(machine) else { return Ok(None) };
    // A boot that is not believed any more (its certificate ran out) is no reason to refuse the whole trial.
    let Ok(live) = rounds::live(app, &present.attester).await else { return Ok(None) };
    let changed = changed.clone();
    app.busy(move |_| compare(&live, &policy, &changed, &shown, &logs)).await
}

fn compare(
    live: &Live,
    policy: &Compiled,
    changed: &Compiled,
    shown: &Shown,
    logs: &KeptLogs,
) -> Result<Option<(String, String, String)>, Refusal> {
    let Some(event_log) = &logs.event_log else { return Ok(None) };
    let parts = contiguous(logs);
    if parts.len() < logs.ima_log.len() {
        return Ok(None);
    }
    let ima_log = parts.concat();
    let judge = |by: &Compiled| {
        let Some(quote) = quote_again(live, shown, policy) else { return Ok(None) };
        let logs = LogEvidence::Whole { event_log, ima_log: &ima_log };
        judge::runtime(by, &live.key, quote, logs, now()).map(|judged| Some(judged.appraisal))
    };
    let (Some(before), Some(after)) = (judge(policy)?, judge(changed)?) else { return Ok(None) };
    let reason = judge::findings(&after).into_iter().next().map(|finding| finding.message).unwrap_or_default();
    Ok(Some((before.verdict().name().to_owned(), after.verdict().name().to_owned(), reason)))
}

/// Verifies the kept quote once more, as the answer to the challenge that it did answer; `None` if the policy's banks were
/// others at that time.
fn quote_again(live: &Live, shown: &Shown, policy: &Compiled) -> Option<Quote> {
    let attest: TpmsAttest<'_> = from_bytes(&shown.message, &Supported::ALL).ok()?;
    let nonce = Issued::<QualifyingData>::answered(attest.extra_data.as_bytes());
    let values: Vec<&[u8]> = shown.pcrs.iter().map(|value| &**value).collect();
    let quote = QuoteEvidence { message: &shown.message, signature: &shown.signature, values: &values };
    live.key.verify(quote, nonce, &policy.selection, now()).ok()
}
