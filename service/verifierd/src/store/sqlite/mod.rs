// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A store in one SQLite file: nothing to set up, one process.

mod items;
mod machines;
mod migrations;
mod operator;
mod rounds;
#[cfg(test)]
mod tests;
mod worker;

use std::future::ready;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::audit::{GENESIS, Line, link};
use crate::store::{
    Answer, AuditEntry, BootRow, Item, KeptLogs, KnownBoot, MachineRow, NewBoot, Note, PolicyRow, PresentBoot, Round,
    Store, StoreError, TokenRow,
};
use worker::{Access, Durability, Worker, set_durability};

/// How long another process (a backup, a shell) may keep the file locked.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest body of an item, in bytes, that is read while the others wait; a registration has a few thousand.
const AT_A_GLANCE: u64 = 16 << 10;

/// Statements that stay prepared.
const STATEMENTS: usize = 64;

/// The open database: one connection that writes, and one that reads while the other waits for the disk.
#[derive(Debug)]
pub(crate) struct Sqlite {
    writer: Worker,
    reader: Worker,
    /// For reading one small row, which takes less than to wake a thread.
    glance: Mutex<Connection>,
}

impl Sqlite {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut writer = connect(path)?;
        writer.pragma_update(None, "journal_mode", "WAL")?;
        // An answer means that the disk has it, not only the kernel.
        set_durability(&writer, Durability::Disk)?;
        migrations::migrate(&mut writer)?;
        Ok(Sqlite {
            writer: Worker::start("store-write", writer, Access::Write)?,
            reader: Worker::start("store-read", connect(path)?, Access::Read)?,
            glance: Mutex::new(connect(path)?),
        })
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

impl Store for Sqlite {
    fn register(&self, boot: NewBoot, at: u64) -> Answer<'_, (u64, Option<String>)> {
        self.writer.run(move |db| machines::register(db, &boot, at))
    }

    fn boot(&self, attester: &str) -> Answer<'_, Option<KnownBoot>> {
        let attester = attester.to_owned();
        self.reader.run(move |db| machines::boot(db, &attester))
    }

    fn record(&self, round: Round) -> Answer<'_, ()> {
        self.writer.run(move |db| rounds::record(db, &round))
    }

    fn raise_clone_alarm(&self, machine: &str, attester: &str, at: u64) -> Answer<'_, ()> {
        let machine = machine.to_owned();
        let detail = format!("revoked attester {attester} is alive");
        self.writer.run(move |db| {
            db.execute("UPDATE machine SET clone_alarm = 1 WHERE name = ?1", [&machine])?;
            note(db, &Note { at, machine: Some(machine), event: "clone-alarm", detail })
        })
    }

    fn end_clone_alarm(&self, machine: &str, line: Note) -> Answer<'_, bool> {
        let machine = machine.to_owned();
        self.writer.run(move |db| {
            let changed = db.execute("UPDATE machine SET clone_alarm = 0 WHERE name = ?1", [&machine])?;
            noted(db, changed, &line)
        })
    }

    fn note(&self, line: Note) -> Answer<'_, ()> {
        self.writer.run(move |db| note(db, &line))
    }

    fn machines(&self, only: Option<&str>) -> Answer<'_, Vec<MachineRow>> {
        let only = only.map(str::to_owned);
        self.reader.run(move |db| machines::list(db, only.as_deref()))
    }

    fn present_boot(&self, machine: &str) -> Answer<'_, Option<PresentBoot>> {
        let machine = machine.to_owned();
        self.reader.run(move |db| machines::present_boot(db, &machine))
    }

    fn logs(&self, attester: &str) -> Answer<'_, KeptLogs> {
        let attester = attester.to_owned();
        self.reader.run(move |db| rounds::logs(db, &attester))
    }

    fn kept_ima(&self, attester: &str) -> Answer<'_, u64> {
        let attester = attester.to_owned();
        self.reader.run(move |db| rounds::kept_ima(db, &attester))
    }

    fn boots(&self, machine: &str) -> Answer<'_, Vec<BootRow>> {
        let machine = machine.to_owned();
        self.reader.run(move |db| machines::boots(db, &machine))
    }

    fn put_machine(&self, machine: &str, policy: Option<&str>, line: Note) -> Answer<'_, ()> {
        let (machine, policy) = (machine.to_owned(), policy.map(str::to_owned));
        self.writer.run(move |db| operator::put_machine(db, &machine, policy.as_deref(), &line))
    }

    fn remove_machine(&self, machine: &str, line: Note) -> Answer<'_, bool> {
        let machine = machine.to_owned();
        self.writer.run(move |db| operator::remove_machine(db, &machine, &line))
    }

    fn policies(&self) -> Answer<'_, Vec<PolicyRow>> {
        self.reader.run(operator::policies)
    }

    fn put_policy(&self, policy: PolicyRow, line: Note) -> Answer<'_, ()> {
        self.writer.run(move |db| operator::put_policy(db, &policy, &line))
    }

    fn remove_policy(&self, name: &str, line: Note) -> Answer<'_, bool> {
        let name = name.to_owned();
        self.writer.run(move |db| operator::remove_policy(db, &name, &line))
    }

    fn policy_of_machines(&self) -> Answer<'_, Vec<(String, String)>> {
        self.reader.run(operator::policy_of_machines)
    }

    fn tokens(&self) -> Answer<'_, Vec<TokenRow>> {
        self.reader.run(operator::tokens)
    }

    fn add_token(&self, token: TokenRow, line: Note) -> Answer<'_, ()> {
        self.writer.run(move |db| operator::add_token(db, &token, &line))
    }

    fn remove_token(&self, name: &str, line: Note) -> Answer<'_, bool> {
        let name = name.to_owned();
        self.writer.run(move |db| {
            let removed = db.execute("DELETE FROM token WHERE name = ?1", [&name])?;
            noted(db, removed, &line)
        })
    }

    fn item(&self, kind: &'static str, name: &str) -> Answer<'_, Option<Item>> {
        let glance = self.glance.lock().unwrap_or_else(PoisonError::into_inner);
        match items::size(&glance, kind, name) {
            Ok(Some(size)) if size > AT_A_GLANCE => {
                let name = name.to_owned();
                self.reader.run(move |db| items::get(db, kind, &name))
            }
            Ok(Some(_)) => Box::pin(ready(items::get(&glance, kind, name))),
            Ok(None) => Box::pin(ready(Ok(None))),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }

    fn items(&self, kind: &'static str) -> Answer<'_, Vec<Item>> {
        self.reader.run(move |db| items::list(db, kind))
    }

    fn put_item(&self, kind: &'static str, item: Item, line: Option<Note>) -> Answer<'_, ()> {
        self.writer.run(move |db| {
            items::put(db, kind, &item)?;
            line.iter().try_for_each(|line| note(db, line))
        })
    }

    fn put_fleeting_item(&self, kind: &'static str, name: &str, body: String, now: u64, until: u64) -> Answer<'_, ()> {
        let name = name.to_owned();
        self.writer.run_until(Durability::Kernel, move |db| items::put_fleeting(db, kind, &name, &body, now, until))
    }

    fn remove_item(&self, kind: &'static str, name: &str, line: Option<Note>) -> Answer<'_, bool> {
        let name = name.to_owned();
        self.writer.run(move |db| {
            let removed = db.execute("DELETE FROM item WHERE kind = ?1 AND name = ?2", [kind, &name])?;
            line.iter().filter(|_| removed > 0).try_for_each(|line| note(db, line))?;
            Ok(removed > 0)
        })
    }

    fn claim(&self, kind: &'static str, now: u64, until: u64, limit: u32) -> Answer<'_, Vec<Item>> {
        self.writer.run(move |db| items::claim(db, kind, now, until, limit))
    }

    fn generation(&self) -> Answer<'_, u64> {
        // One process has the file: whatever changes, it changed.
        Box::pin(async { Ok(0) })
    }

    fn audit(&self, after: u64, limit: u32) -> Answer<'_, Vec<AuditEntry>> {
        self.reader.run(move |db| {
            let mut lines = db.prepare_cached(
                "SELECT id, at, machine, event, detail, hash FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let rows = lines.query_map(params![after, limit], audit_entry)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn audit_newest(&self, before: Option<u64>, machine: Option<&str>, limit: u32) -> Answer<'_, Vec<AuditEntry>> {
        let machine = machine.map(str::to_owned);
        self.reader.run(move |db| {
            let mut lines = db.prepare_cached(
                "SELECT id, at, machine, event, detail, hash FROM audit
                 WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR machine = ?2) ORDER BY id DESC LIMIT ?3",
            )?;
            let rows = lines.query_map(params![before, machine, limit], audit_entry)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn audit_entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.get(0)?,
        at: row.get(1)?,
        machine: row.get(2)?,
        event: row.get(3)?,
        detail: row.get(4)?,
        hash: row.get(5)?,
    })
}

/// Writes the next line of the audit log.
fn note(db: &Connection, Note { at, machine, event, detail }: &Note) -> Result<(), StoreError> {
    let last = db
        .prepare_cached("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (last, head): (u64, Vec<u8>) = last.unwrap_or((0, GENESIS.to_vec()));
    let line = Line { id: last.saturating_add(1), at: *at, machine: machine.as_deref(), event, detail };
    db.prepare_cached("INSERT INTO audit (id, at, machine, event, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![line.id, at, machine, event, detail, link(&head, line)])?;
    Ok(())
}

/// Writes a line about a change if there was one, and tells whether there was.
fn noted(db: &Connection, changed: usize, line: &Note) -> Result<bool, StoreError> {
    if changed == 0 {
        return Ok(false);
    }
    note(db, line)?;
    Ok(true)
}
