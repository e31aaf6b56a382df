// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a protocol keeps of its own.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::store::{FORGET_AT_ONCE, Item, StoreError, first_version};

const COLUMNS: &str = "name, body, version, due_at";

fn item(row: &Row<'_>) -> rusqlite::Result<Item> {
    Ok(Item { name: row.get(0)?, body: row.get(1)?, version: row.get(2)?, due_at: row.get(3)? })
}

pub(super) fn get(db: &Connection, kind: &str, name: &str) -> Result<Option<Item>, StoreError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM item WHERE kind = ?1 AND name = ?2"))?;
    Ok(statement.query_row([kind, name], item).optional()?)
}

/// Returns the bytes of an item's body, which is not read for that.
pub(super) fn size(db: &Connection, kind: &str, name: &str) -> Result<Option<u64>, StoreError> {
    let mut statement = db.prepare_cached("SELECT octet_length(body) FROM item WHERE kind = ?1 AND name = ?2")?;
    Ok(statement.query_row([kind, name], |row| row.get(0)).optional()?)
}

pub(super) fn list(db: &Connection, kind: &str) -> Result<Vec<Item>, StoreError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM item WHERE kind = ?1 ORDER BY name"))?;
    let rows = statement.query_map([kind], item)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn put(db: &Connection, kind: &str, new: &Item) -> Result<(), StoreError> {
    let Item { name, body, version, due_at } = new;
    let written = if *version == 0 {
        db.prepare_cached(
            "INSERT INTO item (kind, name, body, version, due_at) VALUES (?1, ?2, ?3, ?5, ?4) ON CONFLICT DO NOTHING",
        )?
        .execute(params![kind, name, body, due_at, first_version()?])?
    } else {
        db.prepare_cached(
            "UPDATE item SET body = ?3, due_at = ?4, version = version + 1
             WHERE kind = ?1 AND name = ?2 AND version = ?5",
        )?
        .execute(params![kind, name, body, due_at, version])?
    };
    if written == 1 { Ok(()) } else { Err(StoreError::Changed(name.clone())) }
}

pub(super) fn put_fleeting(
    db: &Connection,
    kind: &str,
    name: &str,
    body: &str,
    now: u64,
    until: u64,
) -> Result<(), StoreError> {
    db.prepare_cached(
        "DELETE FROM item WHERE kind = ?1 AND name IN
             (SELECT name FROM item WHERE kind = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?3)",
    )?
    .execute(params![kind, now, FORGET_AT_ONCE])?;
    db.prepare_cached("INSERT OR REPLACE INTO item (kind, name, body, version, due_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![kind, name, body, first_version()?, until])?;
    Ok(())
}

pub(super) fn claim(db: &Connection, kind: &str, now: u64, until: u64, limit: u32) -> Result<Vec<Item>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "UPDATE item SET due_at = ?3 WHERE kind = ?1 AND name IN
             (SELECT name FROM item WHERE kind = ?1 AND due_at <= ?2 ORDER BY due_at LIMIT ?4)
         RETURNING {COLUMNS}"
    ))?;
    let rows = statement.query_map(params![kind, now, until, limit], item)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
