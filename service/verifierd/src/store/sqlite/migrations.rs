// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Brings a database to the schema of this program, one version after the other.

use rusqlite::{Connection, Transaction, params};

use crate::audit::{GENESIS, Line, link};
use crate::store::StoreError;

/// What leads from one version to the next.
struct Step {
    sql: &'static str,
    /// What SQL cannot say.
    then: fn(&Transaction<'_>) -> Result<(), StoreError>,
}

/// The step at index n leads to version n + 1. A step that was released is never changed.
const STEPS: [Step; 4] = [
    Step { sql: include_str!("migrations/0001.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("migrations/0002.sql"), then: chain_audit },
    Step { sql: include_str!("migrations/0003.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("migrations/0004.sql"), then: |_| Ok(()) },
];

/// Takes every step that is left, each whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let expected = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(left) = usize::try_from(found).ok().and_then(|done| STEPS.get(done..)) else {
        return Err(StoreError::Version { found, expected });
    };
    // A table that is replaced is still referred to while it is.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "legacy_alter_table", true)?;
    for (version, step) in (found + 1..).zip(left) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step.sql)?;
        (step.then)(&transaction)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "legacy_alter_table", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// Chains the lines that were written before there was a chain.
fn chain_audit(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let mut head = GENESIS;
    let mut lines = transaction.prepare("SELECT id, at, machine, event, detail FROM audit ORDER BY id")?;
    let mut rows = lines.query([])?;
    while let Some(row) = rows.next()? {
        let (machine, event, detail): (Option<String>, String, String) = (row.get(2)?, row.get(3)?, row.get(4)?);
        let line =
            Line { id: row.get(0)?, at: row.get(1)?, machine: machine.as_deref(), event: &event, detail: &detail };
        head = link(&head, line);
        transaction.execute("UPDATE audit SET hash = ?2 WHERE id = ?1", params![line.id, head])?;
    }
    Ok(())
}
