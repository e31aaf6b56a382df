// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where boots stand: one row for each, written anew in every round.

use rusqlite::{OptionalExtension as _, Row, Savepoint, params};

use super::note;
use crate::store::{Note, Round, Standing, StoreError, StoredClock};

/// The columns of a standing, in the order in which [`standing`] reads them.
pub(super) const COLUMNS: &str =
    "s.at, s.verdict, s.findings, s.trusted_at, s.rounds, s.clock, s.policy_id, s.progress";

pub(super) fn record(db: &Savepoint<'_>, round: &Round) -> Result<(), StoreError> {
    let machine: Option<String> = db
        .prepare_cached("SELECT machine FROM boot WHERE attester = ?1 AND revoked_at IS NULL")?
        .query_row([&round.attester], |row| row.get(0))
        .optional()?;
    let Some(machine) = machine else { return Err(StoreError::Revoked) };
    let trusted_at = (round.verdict == "trusted").then_some(round.at);
    let (policy_id, progress) = round.progress.clone().unzip();
    db.prepare_cached(
        "INSERT INTO standing (attester, at, verdict, findings, trusted_at, rounds, clock, policy_id, progress)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8)
         ON CONFLICT (attester) DO UPDATE SET
             at = excluded.at, verdict = excluded.verdict, findings = excluded.findings,
             trusted_at = coalesce(excluded.trusted_at, trusted_at), rounds = rounds + 1,
             clock = coalesce(excluded.clock, clock), policy_id = excluded.policy_id, progress = excluded.progress",
    )?
    .execute(params![
        round.attester,
        round.at,
        round.verdict,
        round.findings,
        trusted_at,
        round.clock.map(StoredClock::to_bytes),
        policy_id,
        progress
    ])?;
    let line = Note { at: round.at, machine: Some(machine), event: "verdict", detail: round.verdict.clone() };
    note(db, &line)
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
