// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the operator says: which machines there are, policies, tokens.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{note, noted};
use crate::store::{Note, PolicyRow, StoreError, TokenRow};

pub(super) fn put_machine(db: &Connection, machine: &str, policy: Option<&str>, line: &Note) -> Result<(), StoreError> {
    if let Some(policy) = policy {
        let found = db.query_row("SELECT 1 FROM policy WHERE name = ?1", [policy], |_| Ok(())).optional()?;
        found.ok_or_else(|| StoreError::UnknownPolicy(policy.to_owned()))?;
    }
    db.execute(
        "INSERT INTO machine (name, policy, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET policy = excluded.policy",
        params![machine, policy, line.at],
    )?;
    note(db, line)
}

pub(super) fn remove_machine(db: &Connection, machine: &str, line: &Note) -> Result<bool, StoreError> {
    db.execute("DELETE FROM log_part WHERE attester IN (SELECT attester FROM boot WHERE machine = ?1)", [machine])?;
    db.execute("DELETE FROM standing WHERE attester IN (SELECT attester FROM boot WHERE machine = ?1)", [machine])?;
    db.execute("DELETE FROM boot WHERE machine = ?1", [machine])?;
    let removed = db.execute("DELETE FROM machine WHERE name = ?1", [machine])?;
    noted(db, removed, line)
}

pub(super) fn policies(db: &Connection) -> Result<Vec<PolicyRow>, StoreError> {
    let mut statement = db.prepare_cached("SELECT name, document, changed_at FROM policy ORDER BY name")?;
    let rows = statement
        .query_map([], |row| Ok(PolicyRow { name: row.get(0)?, document: row.get(1)?, changed_at: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn put_policy(db: &Connection, policy: &PolicyRow, line: &Note) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO policy (name, document, changed_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (name) DO UPDATE SET document = excluded.document, changed_at = excluded.changed_at",
        params![policy.name, policy.document, policy.changed_at],
    )?;
    note(db, line)
}

pub(super) fn remove_policy(db: &Connection, name: &str, line: &Note) -> Result<bool, StoreError> {
    let machines: u64 = db.query_row("SELECT count(*) FROM machine WHERE policy = ?1", [name], |row| row.get(0))?;
    if machines > 0 {
        return Err(StoreError::PolicyInUse { policy: name.to_owned(), machines });
    }
    let removed = db.execute("DELETE FROM policy WHERE name = ?1", [name])?;
    noted(db, removed, line)
}

pub(super) fn policy_of_machines(db: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement = db.prepare_cached("SELECT name, policy FROM machine WHERE policy IS NOT NULL")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn tokens(db: &Connection) -> Result<Vec<TokenRow>, StoreError> {
    let mut statement = db.prepare_cached("SELECT name, digest, roles, created_at FROM token ORDER BY name")?;
    let rows = statement.query_map([], |row| {
        Ok(TokenRow { name: row.get(0)?, digest: row.get(1)?, roles: row.get(2)?, created_at: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn add_token(db: &Connection, token: &TokenRow, line: &Note) -> Result<(), StoreError> {
    let added = db.execute(
        "INSERT INTO token (name, digest, roles, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![token.name, token.digest, token.roles, token.created_at],
    )?;
    if added == 0 {
        return Err(StoreError::Exists(token.name.clone()));
    }
    note(db, line)
}
