// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A store in PostgreSQL: any number of verifiers on one database.
//!
//! Lines of the audit log are written one after the other (an advisory lock, taken last in each transaction), since each
//! covers the one before; everything else runs side by side.

mod machines;
mod operator;
mod parameters;
mod pool;
mod rounds;
#[cfg(test)]
mod tests;
mod tls;

use tokio_postgres::{Row, Transaction};

use crate::audit::{GENESIS, Line, link};
use crate::store::{
    Answer, AuditEntry, BootRow, Item, KeptLogs, KnownBoot, MachineRow, NewBoot, Note, PolicyRow, PresentBoot, Round,
    Store, StoreError, TokenRow,
};
use pool::{Pool, number, unsigned};

/// The schema that this program writes; a step that was released is never changed.
const STEPS: [&str; 2] = [include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];

/// The lock under which the schema is brought up to date, and the one under which the audit log is written.
const SCHEMA_LOCK: i64 = 0x6576_7470_6d01;
const AUDIT_LOCK: i64 = 0x6576_7470_6d02;

/// The open database.
#[derive(Debug)]
pub(crate) struct Postgres(Pool);

impl Postgres {
    /// Connects, and brings the schema up to date.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        let store = Postgres(Pool::new(url)?);
        store.0.transaction(async |db| migrate(db).await).await?;
        Ok(store)
    }
}

async fn migrate(db: &Transaction<'_>) -> Result<(), StoreError> {
    db.execute("SELECT pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK]).await?;
    db.batch_execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)").await?;
    let found: i64 = db.query_opt("SELECT version FROM schema_version", &[]).await?.map_or(0, |row| row.get(0));
    let expected = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let Some(left) = usize::try_from(found).ok().and_then(|done| STEPS.get(done..)) else {
        return Err(StoreError::Version { found, expected });
    };
    for step in left {
        db.batch_execute(step).await?;
    }
    db.execute("DELETE FROM schema_version", &[]).await?;
    db.execute("INSERT INTO schema_version VALUES ($1)", &[&expected]).await?;
    Ok(())
}

impl Store for Postgres {
    fn register(&self, boot: NewBoot, at: u64) -> Answer<'_, (u64, Option<String>)> {
        Box::pin(self.0.transaction(async move |db| machines::register(db, &boot, at).await))
    }

    fn boot(&self, attester: &str) -> Answer<'_, Option<KnownBoot>> {
        let attester = attester.to_owned();
        Box::pin(self.0.transaction(async move |db| machines::boot(db, &attester).await))
    }

    fn record(&self, round: Round) -> Answer<'_, ()> {
        Box::pin(self.0.transaction(async move |db| rounds::record(db, &round).await))
    }

    fn raise_clone_alarm(&self, machine: &str, attester: &str, at: u64) -> Answer<'_, ()> {
        let machine = machine.to_owned();
        let detail = format!("revoked attester {attester} is alive");
        Box::pin(self.0.transaction(async move |db| {
            db.execute("UPDATE machine SET clone_alarm = true WHERE name = $1", &[&machine]).await?;
            note(db, &Note { at, machine: Some(machine.clone()), event: "clone-alarm", detail: detail.clone() }).await
        }))
    }

    fn end_clone_alarm(&self, machine: &str, line: Note) -> Answer<'_, bool> {
        let machine = machine.to_owned();
        Box::pin(self.0.transaction(async move |db| {
            let changed = db.execute("UPDATE machine SET clone_alarm = false WHERE name = $1", &[&machine]).await?;
            noted(db, changed, &line).await
        }))
    }

    fn note(&self, line: Note) -> Answer<'_, ()> {
        Box::pin(self.0.transaction(async move |db| note(db, &line).await))
    }

    fn machines(&self, only: Option<&str>) -> Answer<'_, Vec<MachineRow>> {
        let only = only.map(str::to_owned);
        Box::pin(self.0.transaction(async move |db| machines::list(db, only.as_deref()).await))
    }

    fn present_boot(&self, machine: &str) -> Answer<'_, Option<PresentBoot>> {
        let machine = machine.to_owned();
        Box::pin(self.0.transaction(async move |db| machines::present_boot(db, &machine).await))
    }

    fn logs(&self, attester: &str) -> Answer<'_, KeptLogs> {
        let attester = attester.to_owned();
        Box::pin(self.0.transaction(async move |db| rounds::logs(db, &attester).await))
    }

    fn kept_ima(&self, attester: &str) -> Answer<'_, u64> {
        let attester = attester.to_owned();
        Box::pin(self.0.transaction(async move |db| rounds::kept_ima(db, &attester).await))
    }

    fn boots(&self, machine: &str) -> Answer<'_, Vec<BootRow>> {
        let machine = machine.to_owned();
        Box::pin(self.0.transaction(async move |db| machines::boots(db, &machine).await))
    }

    fn put_machine(&self, machine: &str, policy: Option<&str>, line: Note) -> Answer<'_, ()> {
        let (machine, policy) = (machine.to_owned(), policy.map(str::to_owned));
        Box::pin(
            self.0.transaction(async move |db| operator::put_machine(db, &machine, policy.as_deref(), &line).await),
        )
    }

    fn remove_machine(&self, machine: &str, line: Note) -> Answer<'_, bool> {
        let machine = machine.to_owned();
        Box::pin(self.0.transaction(async move |db| operator::remove(db, "machine", &machine, &line).await))
    }

    fn policies(&self) -> Answer<'_, Vec<PolicyRow>> {
        Box::pin(self.0.transaction(async |db| operator::policies(db).await))
    }

    fn put_policy(&self, policy: PolicyRow, line: Note) -> Answer<'_, ()> {
        Box::pin(self.0.transaction(async move |db| operator::put_policy(db, &policy, &line).await))
    }

    fn remove_policy(&self, name: &str, line: Note) -> Answer<'_, bool> {
        let name = name.to_owned();
        Box::pin(self.0.transaction(async move |db| operator::remove_policy(db, &name, &line).await))
    }

    fn policy_of_machines(&self) -> Answer<'_, Vec<(String, String)>> {
        Box::pin(self.0.transaction(async |db| {
            let rows = db.query("SELECT name, policy FROM machine WHERE policy IS NOT NULL", &[]).await?;
            Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
        }))
    }

    fn tokens(&self) -> Answer<'_, Vec<TokenRow>> {
        Box::pin(self.0.transaction(async |db| operator::tokens(db).await))
    }

    fn add_token(&self, token: TokenRow, line: Note) -> Answer<'_, ()> {
        Box::pin(self.0.transaction(async move |db| operator::add_token(db, &token, &line).await))
    }

    fn remove_token(&self, name: &str, line: Note) -> Answer<'_, bool> {
        let name = name.to_owned();
        Box::pin(self.0.transaction(async move |db| operator::remove(db, "token", &name, &line).await))
    }

    fn item(&self, kind: &'static str, name: &str) -> Answer<'_, Option<Item>> {
        let name = name.to_owned();
        Box::pin(self.0.transaction(async move |db| {
            let statement = "SELECT name, body, version, due_at FROM item WHERE kind = $1 AND name = $2";
            Ok(db.query_opt(statement, &[&kind, &name]).await?.map(|row| operator::item(&row)))
        }))
    }

    fn items(&self, kind: &'static str) -> Answer<'_, Vec<Item>> {
        Box::pin(self.0.transaction(async move |db| {
            let statement = "SELECT name, body, version, due_at FROM item WHERE kind = $1 ORDER BY name";
            Ok(db.query(statement, &[&kind]).await?.iter().map(operator::item).collect())
        }))
    }

    fn put_item(&self, kind: &'static str, item: Item, line: Option<Note>) -> Answer<'_, ()> {
        Box::pin(self.0.transaction(async move |db| {
            operator::put_item(db, kind, &item).await?;
            match &line {
                Some(line) => note(db, line).await,
                None => Ok(()),
            }
        }))
    }

    fn put_fleeting_item(&self, kind: &'static str, name: &str, body: String, now: u64, until: u64) -> Answer<'_, ()> {
        let name = name.to_owned();
        Box::pin(
            self.0.transaction(async move |db| operator::put_fleeting_item(db, kind, &name, &body, (now, until)).await),
        )
    }

    fn remove_item(&self, kind: &'static str, name: &str, line: Option<Note>) -> Answer<'_, bool> {
        let name = name.to_owned();
        Box::pin(self.0.transaction(async move |db| {
            let removed = db.execute("DELETE FROM item WHERE kind = $1 AND name = $2", &[&kind, &name]).await?;
            match &line {
                Some(line) => noted(db, removed, line).await,
                None => Ok(removed > 0),
            }
        }))
    }

    fn claim(&self, kind: &'static str, now: u64, until: u64, limit: u32) -> Answer<'_, Vec<Item>> {
        Box::pin(self.0.transaction(async move |db| {
            // Rows that another process is about to take are passed over, not waited for.
            let statement = "UPDATE item SET due_at = $3 WHERE kind = $1 AND name IN
                 (SELECT name FROM item WHERE kind = $1 AND due_at <= $2 ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED)
                 RETURNING name, body, version, due_at";
            let rows = db.query(statement, &[&kind, &number(now), &number(until), &i64::from(limit)]).await?;
            Ok(rows.iter().map(operator::item).collect())
        }))
    }

    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<AuditEntry>> {
        Box::pin(self.0.transaction(async move |db| {
            let statement = "SELECT id, at, machine, event, detail, hash FROM audit WHERE id > $1 ORDER BY id LIMIT $2";
            let rows = db.query(statement, &[&number(after), &i64::from(limit)]).await?;
            Ok(rows.iter().map(audit_entry).collect())
        }))
    }

    fn audit_newest(&self, before: Option<u64>, machine: Option<&str>, limit: u32) -> Answer<'_, Vec<AuditEntry>> {
        let (before, machine) = (before.map(number), machine.map(str::to_owned));
        Box::pin(self.0.transaction(async move |db| {
            let statement = "SELECT id, at, machine, event, detail, hash FROM audit
                 WHERE ($1::bigint IS NULL OR id < $1) AND ($2::text IS NULL OR machine = $2) ORDER BY id DESC LIMIT $3";
            let rows = db.query(statement, &[&before, &machine, &i64::from(limit)]).await?;
            Ok(rows.iter().map(audit_entry).collect())
        }))
    }

    fn generation(&self) -> Answer<'_, u64> {
        Box::pin(self.0.transaction(async |db| {
            let row = db.query_one("SELECT last_value FROM generation", &[]).await?;
            Ok(unsigned(row.get(0)))
        }))
    }
}

fn audit_entry(row: &Row) -> AuditEntry {
    AuditEntry {
        id: unsigned(row.get(0)),
        at: unsigned(row.get(1)),
        machine: row.get(2),
        event: row.get(3),
        detail: row.get(4),
        hash: row.get(5),
    }
}

/// Writes the next line of the audit log; the last thing in a transaction, since others wait from here on.
async fn note(db: &Transaction<'_>, Note { at, machine, event, detail }: &Note) -> Result<(), StoreError> {
    db.execute("SELECT pg_advisory_xact_lock($1)", &[&AUDIT_LOCK]).await?;
    let last = db.query_opt("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", &[]).await?;
    let (last, head): (i64, Vec<u8>) = last.map_or((0, GENESIS.to_vec()), |row| (row.get(0), row.get(1)));
    let id = last.saturating_add(1);
    let line = Line { id: unsigned(id), at: *at, machine: machine.as_deref(), event, detail };
    let hash = link(&head, line).to_vec();
    let statement = "INSERT INTO audit (id, at, machine, event, detail, hash) VALUES ($1, $2, $3, $4, $5, $6)";
    db.execute(statement, &[&id, &number(*at), machine, event, detail, &hash]).await?;
    Ok(())
}

/// Writes a line about a change if there was one, and tells whether there was.
async fn noted(db: &Transaction<'_>, changed: u64, line: &Note) -> Result<bool, StoreError> {
    if changed == 0 {
        return Ok(false);
    }
    note(db, line).await?;
    Ok(true)
}
