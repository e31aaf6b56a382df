// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where boots stand: one row for each, written anew in every round.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::note;
use crate::store::{KeptLogs, LogsOfRound, Note, Round, Standing, StoreError, StoredClock};

/// The columns of a standing, in the order in which [`standing`] reads them.
pub(super) const COLUMNS: &str =
    "s.at, s.verdict, s.findings, s.trusted_at, s.rounds, s.clock, s.policy_id, s.progress";

pub(super) fn record(db: &Connection, round: &Round) -> Result<(), StoreError> {
    let machine: Option<String> = db
        .prepare_cached("SELECT machine FROM boot WHERE attester = ?1 AND revoked_at IS NULL")?
        .query_row([&round.attester], |row| row.get(0))
        .optional()?;
    let Some(machine) = machine else { return Err(StoreError::Revoked) };
    let trusted_at = (round.verdict == "trusted").then_some(round.at);
    let (policy_id, progress) = round.progress.clone().unzip();
    db.prepare_cached(
        "INSERT INTO standing (attester, at, verdict, findings, trusted_at, rounds, clock, policy_id, progress, shown)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9)
         ON CONFLICT (attester) DO UPDATE SET
             at = excluded.at, verdict = excluded.verdict, findings = excluded.findings,
             trusted_at = coalesce(excluded.trusted_at, trusted_at), rounds = rounds + 1,
             clock = coalesce(excluded.clock, clock), policy_id = excluded.policy_id, progress = excluded.progress,
             shown = excluded.shown",
    )?
    .execute(params![
        round.attester,
        round.at,
        round.verdict,
        round.findings,
        trusted_at,
        round.clock.map(StoredClock::to_bytes),
        policy_id,
        progress,
        round.shown
    ])?;
    keep_logs(db, &round.attester, &round.logs)?;
    let line = Note { at: round.at, machine: Some(machine), event: "verdict", detail: round.verdict.clone() };
    note(db, &line)
}

fn keep_logs(db: &Connection, attester: &str, logs: &LogsOfRound) -> Result<(), StoreError> {
    let keep = |log: &str, first: u64, bytes: &[u8]| {
        db.prepare_cached("INSERT OR REPLACE INTO log_part (attester, log, first, bytes) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![attester, log, first, bytes])
    };
    match logs {
        LogsOfRound::Nothing => {}
        LogsOfRound::Whole { event_log, ima_log } => {
            forget_logs(db, attester)?;
            event_log.iter().try_for_each(|bytes| keep("boot", 0, bytes).map(drop))?;
            ima_log.iter().try_for_each(|bytes| keep("ima", 0, bytes).map(drop))?;
        }
        // One process has the file, and knows what is there: to add it up each time would cost more with each round.
        LogsOfRound::Grown { first, ima_log, limit: _ } => {
            keep("ima", *first, ima_log)?;
        }
    }
    Ok(())
}

/// Forgets the logs of a boot.
pub(super) fn forget_logs(db: &Connection, attester: &str) -> Result<(), StoreError> {
    db.prepare_cached("DELETE FROM log_part WHERE attester = ?1")?.execute([attester])?;
    Ok(())
}

pub(super) fn logs(db: &Connection, attester: &str) -> Result<KeptLogs, StoreError> {
    let mut kept = KeptLogs::default();
    let mut statement =
        db.prepare_cached("SELECT log, first, bytes FROM log_part WHERE attester = ?1 ORDER BY log, first")?;
    let mut rows = statement.query([attester])?;
    while let Some(row) = rows.next()? {
        match row.get_ref(0)?.as_str() {
            Ok("boot") => kept.event_log = Some(row.get(2)?),
            _ => kept.ima_log.push((row.get(1)?, row.get(2)?)),
        }
    }
    Ok(kept)
}

pub(super) fn kept_ima(db: &Connection, attester: &str) -> Result<u64, StoreError> {
    let kept = "SELECT coalesce(sum(length(bytes)), 0) FROM log_part WHERE attester = ?1 AND log = 'ima'";
    Ok(db.prepare_cached(kept)?.query_row([attester], |row| row.get(0))?)
}

/// Reads a standing whose columns begin at `first`; `None` where the boot has none.
pub(super) fn standing(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Standing>> {
    let Some(at) = row.get(first)? else { return Ok(None) };
    let clock: Option<Vec<u8>> = row.get(first + 5)?;
    let policy_id: Option<String> = row.get(first + 6)?;
    Ok(Some(Standing {
        at,
        verdict: row.get(first + 1)?,
        findings: row.get(first + 2)?,
        trusted_at: row.get(first + 3)?,
        rounds: row.get(first + 4)?,
        clock: clock.as_deref().and_then(StoredClock::from_bytes),
        progress: policy_id.zip(row.get(first + 7)?),
    }))
}
