// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the operator says (machines, policies, tokens), and what protocols keep of their own.

use tokio_postgres::{Row, Transaction};

use super::pool::{number, unsigned};
use super::{note, noted};
use crate::store::{FORGET_AT_ONCE, Item, Note, PolicyRow, StoreError, TokenRow, first_version};

/// Lets every other process look again.
async fn changed(db: &Transaction<'_>) -> Result<(), StoreError> {
    db.execute("SELECT nextval('generation')", &[]).await?;
    Ok(())
}

pub(super) async fn put_machine(
    db: &Transaction<'_>,
    machine: &str,
    policy: Option<&str>,
    line: &Note,
) -> Result<(), StoreError> {
    if let Some(policy) = policy {
        let found = db.query_opt("SELECT 1 FROM policy WHERE name = $1", &[&policy]).await?;
        found.ok_or_else(|| StoreError::UnknownPolicy(policy.to_owned()))?;
    }
    let statement = "INSERT INTO machine (name, policy, created_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET policy = excluded.policy";
    db.execute(statement, &[&machine, &policy, &number(line.at)]).await?;
    changed(db).await?;
    note(db, line).await
}

/// Forgets a row of a table by its name.
pub(super) async fn remove(
    db: &Transaction<'_>,
    table: &'static str,
    name: &str,
    line: &Note,
) -> Result<bool, StoreError> {
    let removed = db.execute(&format!("DELETE FROM {table} WHERE name = $1"), &[&name]).await?;
    changed(db).await?;
    noted(db, removed, line).await
}

pub(super) async fn policies(db: &Transaction<'_>) -> Result<Vec<PolicyRow>, StoreError> {
    let rows = db.query("SELECT name, document, changed_at FROM policy ORDER BY name", &[]).await?;
    let policy = |row: &Row| PolicyRow { name: row.get(0), document: row.get(1), changed_at: unsigned(row.get(2)) };
    Ok(rows.iter().map(policy).collect())
}

pub(super) async fn put_policy(db: &Transaction<'_>, policy: &PolicyRow, line: &Note) -> Result<(), StoreError> {
    let statement = "INSERT INTO policy (name, document, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET document = excluded.document, changed_at = excluded.changed_at";
    db.execute(statement, &[&policy.name, &policy.document, &number(policy.changed_at)]).await?;
    changed(db).await?;
    note(db, line).await
}

pub(super) async fn remove_policy(db: &Transaction<'_>, name: &str, line: &Note) -> Result<bool, StoreError> {
    let machines: i64 = db.query_one("SELECT count(*) FROM machine WHERE policy = $1", &[&name]).await?.get(0);
    if machines > 0 {
        return Err(StoreError::PolicyInUse { policy: name.to_owned(), machines: unsigned(machines) });
    }
    remove(db, "policy", name, line).await
}

pub(super) async fn tokens(db: &Transaction<'_>) -> Result<Vec<TokenRow>, StoreError> {
    let rows = db.query("SELECT name, digest, roles, created_at FROM token ORDER BY name", &[]).await?;
    let token = |row: &Row| TokenRow {
        name: row.get(0),
        digest: row.get(1),
        roles: row.get(2),
        created_at: unsigned(row.get(3)),
    };
    Ok(rows.iter().map(token).collect())
}

pub(super) async fn add_token(db: &Transaction<'_>, token: &TokenRow, line: &Note) -> Result<(), StoreError> {
    let statement =
        "INSERT INTO token (name, digest, roles, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    let added = db.execute(statement, &[&token.name, &token.digest, &token.roles, &number(token.created_at)]).await?;
    if added == 0 {
        return Err(StoreError::Exists(token.name.clone()));
    }
    changed(db).await?;
    note(db, line).await
}

pub(super) fn item(row: &Row) -> Item {
    Item {
        name: row.get(0),
        body: row.get(1),
        version: unsigned(row.get(2)),
        due_at: row.get::<_, Option<i64>>(3).map(unsigned),
    }
}

pub(super) async fn put_item(db: &Transaction<'_>, kind: &str, new: &Item) -> Result<(), StoreError> {
    let Item { name, body, version, due_at } = new;
    let (version, due_at) = (number(*version), due_at.map(number));
    let written = if version == 0 {
        let first = number(first_version()?);
        let statement = "INSERT INTO item (kind, name, body, version, due_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING";
        db.execute(statement, &[&kind, name, body, &first, &due_at]).await?
    } else {
        let statement = "UPDATE item SET body = $3, due_at = $4, version = version + 1
             WHERE kind = $1 AND name = $2 AND version = $5";
        db.execute(statement, &[&kind, name, body, &due_at, &version]).await?
    };
    if written == 1 { Ok(()) } else { Err(StoreError::Changed(name.clone())) }
}

pub(super) async fn put_fleeting_item(
    db: &Transaction<'_>,
    kind: &str,
    name: &str,
    body: &str,
    (now, until): (u64, u64),
) -> Result<(), StoreError> {
    db.execute("SET LOCAL synchronous_commit = off", &[]).await?;
    let ended = "DELETE FROM item WHERE kind = $1 AND name IN
         (SELECT name FROM item WHERE kind = $1 AND due_at <= $2 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)";
    db.execute(ended, &[&kind, &number(now), &i64::from(FORGET_AT_ONCE)]).await?;
    let statement = "INSERT INTO item (kind, name, body, version, due_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, version = excluded.version, due_at = excluded.due_at";
    db.execute(statement, &[&kind, &name, &body, &number(first_version()?), &number(until)]).await?;
    Ok(())
}
