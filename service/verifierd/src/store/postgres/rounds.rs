// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where boots stand: one row for each, written anew in every round.

use tokio_postgres::{Row, Transaction};

use super::note;
use super::pool::{number, unsigned};
use crate::store::{KeptLogs, LogsOfRound, Note, Round, Standing, StoreError, StoredClock};

/// The columns of a standing, in the order in which [`standing`] reads them.
pub(super) const COLUMNS: &str =
    "s.at, s.verdict, s.findings, s.trusted_at, s.rounds, s.clock, s.policy_id, s.progress";

pub(super) async fn record(db: &Transaction<'_>, round: &Round) -> Result<(), StoreError> {
    // Held against a registration that revokes the boot at this moment: one of both comes first.
    let statement = "SELECT machine FROM boot WHERE attester = $1 AND revoked_at IS NULL FOR SHARE";
    let boot = db.query_opt(statement, &[&round.attester]).await?;
    let machine: String = boot.ok_or(StoreError::Revoked)?.get(0);
    let trusted_at = (round.verdict == "trusted").then_some(number(round.at));
    let (policy_id, progress) = round.progress.clone().unzip();
    let clock = round.clock.map(StoredClock::to_bytes);
    let statement = "INSERT INTO standing AS s
             (attester, at, verdict, findings, trusted_at, rounds, clock, policy_id, progress, shown)
         VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9)
         ON CONFLICT (attester) DO UPDATE SET
             at = excluded.at, verdict = excluded.verdict, findings = excluded.findings,
             trusted_at = coalesce(excluded.trusted_at, s.trusted_at), rounds = s.rounds + 1,
             clock = coalesce(excluded.clock, s.clock), policy_id = excluded.policy_id, progress = excluded.progress,
             shown = excluded.shown";
    let at = number(round.at);
    db.execute(
        statement,
        &[
            &round.attester,
            &at,
            &round.verdict,
            &round.findings,
            &trusted_at,
            &clock,
            &policy_id,
            &progress,
            &round.shown,
        ],
    )
    .await?;
    keep_logs(db, &round.attester, &round.logs).await?;
    note(db, &Note { at: round.at, machine: Some(machine), event: "verdict", detail: round.verdict.clone() }).await
}

async fn keep_logs(db: &Transaction<'_>, attester: &str, logs: &LogsOfRound) -> Result<(), StoreError> {
    match logs {
        LogsOfRound::Nothing => {}
        LogsOfRound::Whole { event_log, ima_log } => {
            forget_logs(db, attester).await?;
            for (log, bytes) in [("boot", event_log), ("ima", ima_log)] {
                if let Some(bytes) = bytes {
                    keep(db, attester, log, 0, bytes).await?;
                }
            }
        }
        // Other processes may have kept more than this one knows.
        LogsOfRound::Grown { first, ima_log, limit } => {
            let grown = u64::try_from(ima_log.len()).unwrap_or(u64::MAX);
            if kept_ima(db, attester).await?.saturating_add(grown) <= *limit {
                keep(db, attester, "ima", *first, ima_log).await?;
            }
        }
    }
    Ok(())
}

async fn keep(db: &Transaction<'_>, attester: &str, log: &str, first: u64, bytes: &[u8]) -> Result<(), StoreError> {
    let statement = "INSERT INTO log_part (attester, log, first, bytes) VALUES ($1, $2, $3, $4)
         ON CONFLICT (attester, log, first) DO UPDATE SET bytes = excluded.bytes";
    db.execute(statement, &[&attester, &log, &number(first), &bytes]).await?;
    Ok(())
}

/// Forgets the logs of a boot.
pub(super) async fn forget_logs(db: &Transaction<'_>, attester: &str) -> Result<(), StoreError> {
    db.execute("DELETE FROM log_part WHERE attester = $1", &[&attester]).await?;
    Ok(())
}

pub(super) async fn logs(db: &Transaction<'_>, attester: &str) -> Result<KeptLogs, StoreError> {
    let mut kept = KeptLogs::default();
    let statement = "SELECT log, first, bytes FROM log_part WHERE attester = $1 ORDER BY log, first";
    for row in db.query(statement, &[&attester]).await? {
        match row.get(0) {
            "boot" => kept.event_log = Some(row.get(2)),
            _ => kept.ima_log.push((unsigned(row.get(1)), row.get(2))),
        }
    }
    Ok(kept)
}

pub(super) async fn kept_ima(db: &Transaction<'_>, attester: &str) -> Result<u64, StoreError> {
    let kept = "SELECT coalesce(sum(length(bytes)), 0)::bigint FROM log_part WHERE attester = $1 AND log = 'ima'";
    Ok(unsigned(db.query_one(kept, &[&attester]).await?.get(0)))
}

/// Reads a standing whose columns begin at `first`; `None` where the boot has none.
pub(super) fn standing(row: &Row, first: usize) -> Option<Standing> {
    let at: Option<i64> = row.get(first);
    let clock: Option<Vec<u8>> = row.get(first + 5);
    let policy_id: Option<String> = row.get(first + 6);
    Some(Standing {
        at: unsigned(at?),
        verdict: row.get(first + 1),
        findings: row.get(first + 2),
        trusted_at: row.get::<_, Option<i64>>(first + 3).map(unsigned),
        rounds: unsigned(row.get(first + 4)),
        clock: clock.as_deref().and_then(StoredClock::from_bytes),
        progress: policy_id.zip(row.get(first + 7)),
    })
}
