// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the verifier remembers, in one SQLite file: machines, their boots, verdicts, and the audit log.

use std::path::Path;

use evtpm_api::{ApiFinding, MachineSummary};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

/// The schema that this program writes.
const VERSION: i64 = 1;

/// Seconds without a verdict after which a machine is stale.
const STALE_AFTER: u64 = 300;

/// Why a request on the store failed.
#[derive(Debug)]
pub(crate) enum StoreError {
    /// The database itself failed.
    Database(rusqlite::Error),
    /// The file was written by another version of this program.
    Version(i64),
    /// The machine was launched as something else before.
    OtherIdentity { machine: String, expected: Vec<u8>, actual: Vec<u8> },
    /// The EK was seen before, at another boot or machine: an ephemeral key never comes back.
    KnownEk,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Database(error)
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreError::Database(error) => write!(f, "the database failed: {error}"),
            StoreError::Version(found) => write!(f, "the database has schema version {found}, this program {VERSION}"),
            StoreError::OtherIdentity { machine, expected, actual } => write!(
                f,
                "machine {machine} is known by launch identity {}, but this is {}",
                hex(expected),
                hex(actual)
            ),
            StoreError::KnownEk => {
                f.write_str("this endorsement key was registered before; an ephemeral TPM never has the same again")
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// A boot that is being registered.
#[derive(Debug, Clone)]
pub(crate) struct NewBoot<'a> {
    pub(crate) machine: &'a str,
    pub(crate) launch_identity: &'a [u8],
    pub(crate) measurement: &'a str,
    pub(crate) attester: &'a str,
    pub(crate) ek_public: &'a [u8],
    pub(crate) report: &'a [u8],
}

/// What the store says of an attester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attester {
    pub(crate) machine: String,
    pub(crate) revoked: bool,
}

/// The open database.
#[derive(Debug)]
pub(crate) struct Store(Connection);

impl Store {
    /// Opens or makes the file.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        Self::prepare(Connection::open(path)?)
    }

    fn prepare(connection: Connection) -> Result<Self, StoreError> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let mut store = Store(connection);
        let transaction = store.0.transaction()?;
        match transaction.pragma_query_value(None, "user_version", |row| row.get(0))? {
            VERSION => {}
            0 => {
                transaction.execute_batch(include_str!("schema.sql"))?;
                transaction.pragma_update(None, "user_version", VERSION)?;
            }
            other => return Err(StoreError::Version(other)),
        }
        transaction.commit()?;
        Ok(store)
    }

    /// Registers a boot: pins a new machine to its launch identity or checks it against the pin, revokes the boot before.
    ///
    /// Returns the boot's number.
    pub(crate) fn register(&mut self, boot: &NewBoot<'_>, now: u64) -> Result<u64, StoreError> {
        let transaction = self.0.transaction()?;
        pin_identity(&transaction, boot, now)?;
        let known = transaction
            .query_row("SELECT 1 FROM boot WHERE ek_public = ?1", [boot.ek_public], |_| Ok(()))
            .optional()?;
        if known.is_some() {
            return Err(StoreError::KnownEk);
        }
        transaction.execute(
            "UPDATE boot SET revoked_at = ?2 WHERE machine = ?1 AND revoked_at IS NULL",
            params![boot.machine, now],
        )?;
        let number: u64 = transaction.query_row(
            "SELECT coalesce(max(number), 0) + 1 FROM boot WHERE machine = ?1",
            [boot.machine],
            |row| row.get(0),
        )?;
        transaction.execute(
            "INSERT INTO boot (machine, number, attester, ek_public, report, registered_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![boot.machine, number, boot.attester, boot.ek_public, boot.report, now],
        )?;
        let detail = format!("boot {number}, EK {}", hex(boot.ek_public));
        audit(&transaction, Some(boot.machine), "registered", &detail, now)?;
        transaction.commit()?;
        Ok(number)
    }

    /// Finds an attester by its name.
    pub(crate) fn attester(&self, attester: &str) -> Result<Option<Attester>, StoreError> {
        let found = self.0.query_row(
            "SELECT machine, revoked_at IS NOT NULL FROM boot WHERE attester = ?1",
            [attester],
            |row| Ok(Attester { machine: row.get(0)?, revoked: row.get(1)? }),
        );
        Ok(found.optional()?)
    }

    /// Notes that a revoked key still speaks: two live EKs for one identity (rule 10).
    pub(crate) fn raise_clone_alarm(&mut self, machine: &str, attester: &str, now: u64) -> Result<(), StoreError> {
        let transaction = self.0.transaction()?;
        transaction.execute("UPDATE machine SET clone_alarm = 1 WHERE name = ?1", [machine])?;
        audit(&transaction, Some(machine), "clone-alarm", &format!("revoked attester {attester} is alive"), now)?;
        Ok(transaction.commit()?)
    }

    /// Records a verdict.
    pub(crate) fn record(
        &mut self,
        attester: &Attester,
        name: &str,
        verdict: &evtpm_api::Verdict,
        now: u64,
    ) -> Result<(), StoreError> {
        let findings = serde_json::to_string(&verdict.findings).unwrap_or_default();
        let transaction = self.0.transaction()?;
        transaction.execute(
            "INSERT INTO verdict (attester, at, verdict, findings, ear) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![name, now, verdict.verdict, findings, verdict.ear],
        )?;
        audit(&transaction, Some(&attester.machine), "verdict", &verdict.verdict, now)?;
        Ok(transaction.commit()?)
    }

    /// Writes a line of the audit log.
    pub(crate) fn audit(
        &mut self,
        machine: Option<&str>,
        event: &str,
        detail: &str,
        now: u64,
    ) -> Result<(), StoreError> {
        let transaction = self.0.transaction()?;
        audit(&transaction, machine, event, detail, now)?;
        Ok(transaction.commit()?)
    }

    /// Lists machines by name; one of them, where `only` names it.
    pub(crate) fn machines(&self, only: Option<&str>, now: u64) -> Result<Vec<MachineSummary>, StoreError> {
        let mut statement = self.0.prepare(
            "SELECT m.name, m.measurement, m.clone_alarm, count(DISTINCT b.number), v.at, v.verdict, v.findings
             FROM machine m
             LEFT JOIN boot b ON b.machine = m.name
             LEFT JOIN verdict v ON v.id = (SELECT max(v2.id) FROM verdict v2 JOIN boot b2 ON b2.attester = v2.attester
                                            WHERE b2.machine = m.name AND b2.revoked_at IS NULL)
             WHERE ?1 IS NULL OR m.name = ?1
             GROUP BY m.name ORDER BY m.name",
        )?;
        let rows = statement.query_map([only], |row| {
            let at: Option<u64> = row.get(4)?;
            let verdict: Option<String> = row.get(5)?;
            let findings: Option<String> = row.get(6)?;
            let findings: Vec<ApiFinding> =
                findings.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            Ok(MachineSummary {
                machine: row.get(0)?,
                measurement: row.get(1)?,
                clone_alarm: row.get(2)?,
                boots: row.get(3)?,
                state: state(at, verdict, now),
                last_verdict_at: at,
                findings,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// "Unreachable, untrusted, unknown and stale are four different states" (rule 13); who pushes cannot be unreachable, only stale.
fn state(at: Option<u64>, verdict: Option<String>, now: u64) -> String {
    match (at, verdict) {
        (Some(at), Some(_)) if now.saturating_sub(at) > STALE_AFTER => "stale".into(),
        (_, Some(verdict)) => verdict,
        _ => "unknown".into(),
    }
}

fn pin_identity(transaction: &Transaction<'_>, boot: &NewBoot<'_>, now: u64) -> Result<(), StoreError> {
    let pinned: Option<Vec<u8>> = transaction
        .query_row("SELECT launch_identity FROM machine WHERE name = ?1", [boot.machine], |row| row.get(0))
        .optional()?;
    match pinned {
        Some(expected) if expected != boot.launch_identity => Err(StoreError::OtherIdentity {
            machine: boot.machine.to_owned(),
            expected,
            actual: boot.launch_identity.to_vec(),
        }),
        Some(_) => Ok(()),
        None => {
            transaction.execute(
                "INSERT INTO machine (name, launch_identity, measurement, created_at) VALUES (?1, ?2, ?3, ?4)",
                params![boot.machine, boot.launch_identity, boot.measurement, now],
            )?;
            Ok(())
        }
    }
}

fn audit(
    transaction: &Transaction<'_>,
    machine: Option<&str>,
    event: &str,
    detail: &str,
    now: u64,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO audit (at, machine, event, detail) VALUES (?1, ?2, ?3, ?4)",
        params![now, machine, event, detail],
    )?;
    Ok(())
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Store {
        Store::prepare(Connection::open_in_memory().unwrap()).unwrap()
    }

    fn boot<'a>(machine: &'a str, identity: &'a [u8], attester: &'a str, ek_public: &'a [u8]) -> NewBoot<'a> {
        NewBoot { machine, launch_identity: identity, measurement: "00ff", attester, ek_public, report: &[1] }
    }

    fn verdict(word: &str) -> evtpm_api::Verdict {
        evtpm_api::Verdict { verdict: word.into(), findings: Vec::new(), ear: "e".into() }
    }

    #[test]
    fn a_second_boot_revokes_the_first() {
        let mut store = store();
        assert_eq!(store.register(&boot("vm", b"id", "a1", b"ek1"), 10).unwrap(), 1);
        assert_eq!(store.register(&boot("vm", b"id", "a2", b"ek2"), 20).unwrap(), 2);
        assert!(store.attester("a1").unwrap().unwrap().revoked);
        assert!(!store.attester("a2").unwrap().unwrap().revoked);
    }

    #[test]
    fn a_machine_keeps_its_launch_identity() {
        let mut store = store();
        store.register(&boot("vm", b"id", "a1", b"ek1"), 10).unwrap();
        let error = store.register(&boot("vm", b"other", "a2", b"ek2"), 20).unwrap_err();
        assert!(matches!(error, StoreError::OtherIdentity { .. }), "{error}");
        assert!(!store.attester("a1").unwrap().unwrap().revoked, "a refused registration changes nothing");
    }

    #[test]
    fn an_endorsement_key_never_comes_back() {
        let mut store = store();
        store.register(&boot("vm", b"id", "a1", b"ek"), 10).unwrap();
        let error = store.register(&boot("other", b"id", "a2", b"ek"), 20).unwrap_err();
        assert!(matches!(error, StoreError::KnownEk), "{error}");
        assert_eq!(store.machines(None, 20).unwrap().len(), 1);
    }

    #[test]
    fn a_machine_is_unknown_then_trusted_then_stale() {
        let mut store = store();
        store.register(&boot("vm", b"id", "a1", b"ek"), 10).unwrap();
        let state = |store: &Store, now| store.machines(Some("vm"), now).unwrap().remove(0).state;
        assert_eq!(state(&store, 10), "unknown");
        let attester = store.attester("a1").unwrap().unwrap();
        store.record(&attester, "a1", &verdict("trusted"), 20).unwrap();
        assert_eq!(state(&store, 21), "trusted");
        assert_eq!(state(&store, 21 + STALE_AFTER), "stale");
    }

    #[test]
    fn a_verdict_of_the_boot_before_says_nothing_of_this_one() {
        let mut store = store();
        store.register(&boot("vm", b"id", "a1", b"ek1"), 10).unwrap();
        let attester = store.attester("a1").unwrap().unwrap();
        store.record(&attester, "a1", &verdict("trusted"), 20).unwrap();
        store.register(&boot("vm", b"id", "a2", b"ek2"), 30).unwrap();
        assert_eq!(store.machines(None, 31).unwrap()[0].state, "unknown");
    }

    #[test]
    fn a_live_revoked_key_raises_the_alarm() {
        let mut store = store();
        store.register(&boot("vm", b"id", "a1", b"ek1"), 10).unwrap();
        store.raise_clone_alarm("vm", "a1", 11).unwrap();
        assert!(store.machines(None, 12).unwrap()[0].clone_alarm);
    }

    #[test]
    fn a_database_of_another_version_is_left_alone() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 7).unwrap();
        assert!(matches!(Store::prepare(connection), Err(StoreError::Version(7))));
    }
}
