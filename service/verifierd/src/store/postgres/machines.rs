// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Machines and their boots.

use tokio_postgres::{Row, Transaction};

use super::pool::{number, unsigned};
use super::{note, rounds};
use crate::hex::hex;
use crate::store::{Binding, BootRow, KnownBoot, MachineRow, NewBoot, Note, PresentBoot, StoreError};

pub(super) async fn register(
    db: &Transaction<'_>,
    boot: &NewBoot,
    at: u64,
) -> Result<(u64, Option<String>), StoreError> {
    pin_identity(db, boot, at).await?;
    if db.query_opt("SELECT 1 FROM boot WHERE ek_public = $1", &[&boot.ek_public]).await?.is_some() {
        return Err(StoreError::KnownEk);
    }

    let statement = "UPDATE boot SET revoked_at = $2 WHERE machine = $1 AND revoked_at IS NULL RETURNING attester";
    let revoked = db.query_opt(statement, &[&boot.machine, &number(at)]).await?;
    let revoked: Option<String> = revoked.map(|row| row.get(0));
    if let Some(revoked) = &revoked {
        rounds::forget_logs(db, revoked).await?;
    }
    let statement = "SELECT coalesce(max(number), 0) + 1 FROM boot WHERE machine = $1";
    let order: i64 = db.query_one(statement, &[&boot.machine]).await?.get(0);
    let Binding { profile, nonce, manifest, certificates } = &boot.binding;
    let statement = "INSERT INTO boot (machine, number, attester, ek_public, report, registered_at,
                                       ak_public, profile, nonce, manifest, certificates, platform)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let registered_at = number(at);
    db.execute(
        statement,
        &[
            &boot.machine,
            &order,
            &boot.attester,
            &boot.ek_public,
            &boot.report,
            &registered_at,
            &boot.ak_public,
            profile,
            nonce,
            manifest,
            certificates,
            &boot.platform,
        ],
    )
    .await?;
    let mut detail = format!("boot {order}, EK {}", hex(&boot.ek_public));
    if let Some(revoked) = &revoked {
        detail.push_str(&format!("; revoked attester {revoked}"));
    }
    note(db, &Note { at, machine: Some(boot.machine.clone()), event: "registered", detail }).await?;
    Ok((unsigned(order), revoked))
}

/// Makes the machine's row if there is none, and holds it until the end: two boots of one machine come one after the other.
async fn pin_identity(db: &Transaction<'_>, boot: &NewBoot, at: u64) -> Result<(), StoreError> {
    let statement = "INSERT INTO machine (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    db.execute(statement, &[&boot.machine, &number(at)]).await?;
    let statement = "SELECT launch_identity FROM machine WHERE name = $1 FOR UPDATE";
    let pinned: Option<Vec<u8>> = db.query_one(statement, &[&boot.machine]).await?.get(0);
    match pinned {
        Some(expected) if expected != boot.launch_identity => Err(StoreError::OtherIdentity {
            machine: boot.machine.clone(),
            expected,
            actual: boot.launch_identity.clone(),
        }),
        Some(_) => Ok(()),
        None => {
            let statement = "UPDATE machine SET launch_identity = $2, measurement = $3 WHERE name = $1";
            db.execute(statement, &[&boot.machine, &boot.launch_identity, &boot.measurement]).await?;
            Ok(())
        }
    }
}

/// The columns of a boot and of where it stands, in the order in which [`known_boot`] reads them.
const COLUMNS: &str =
    "b.machine, b.number, b.revoked_at IS NOT NULL, b.ek_public, b.report, b.ak_public, b.profile, b.nonce,
    b.manifest, b.certificates";

pub(super) async fn boot(db: &Transaction<'_>, attester: &str) -> Result<Option<KnownBoot>, StoreError> {
    let statement = format!(
        "SELECT {COLUMNS}, {} FROM boot b LEFT JOIN standing s ON s.attester = b.attester WHERE b.attester = $1",
        rounds::COLUMNS
    );
    Ok(db.query_opt(&statement, &[&attester]).await?.as_ref().map(known_boot))
}

fn known_boot(row: &Row) -> KnownBoot {
    let (profile, nonce, manifest, certificates) = (row.get(6), row.get(7), row.get(8), row.get(9));
    KnownBoot {
        machine: row.get(0),
        number: unsigned(row.get(1)),
        revoked: row.get(2),
        ek_public: row.get(3),
        report: row.get(4),
        belief: Some((row.get(5), Binding { profile, nonce, manifest, certificates })),
        standing: rounds::standing(row, 10),
    }
}

pub(super) async fn present_boot(db: &Transaction<'_>, machine: &str) -> Result<Option<PresentBoot>, StoreError> {
    let statement = format!(
        "SELECT {COLUMNS}, {}, b.attester, b.registered_at, s.shown
         FROM boot b LEFT JOIN standing s ON s.attester = b.attester WHERE b.machine = $1 AND b.revoked_at IS NULL",
        rounds::COLUMNS
    );
    let found = db.query_opt(&statement, &[&machine]).await?;
    Ok(found.map(|row| PresentBoot {
        attester: row.get("attester"),
        registered_at: unsigned(row.get("registered_at")),
        boot: known_boot(&row),
        shown: row.get("shown"),
    }))
}

pub(super) async fn list(db: &Transaction<'_>, only: Option<&str>) -> Result<Vec<MachineRow>, StoreError> {
    let statement = format!(
        "SELECT m.name, m.measurement, m.policy, m.clone_alarm, coalesce(b.number, 0), b.platform, b.profile, {}
         FROM machine m
         LEFT JOIN boot b ON b.machine = m.name AND b.revoked_at IS NULL
         LEFT JOIN standing s ON s.attester = b.attester
         WHERE $1::text IS NULL OR m.name = $1
         ORDER BY m.name",
        rounds::COLUMNS
    );
    let machine = |row: &Row| MachineRow {
        name: row.get(0),
        measurement: row.get(1),
        policy: row.get(2),
        clone_alarm: row.get(3),
        boots: unsigned(row.get(4)),
        platform: row.get(5),
        profile: row.get(6),
        standing: rounds::standing(row, 7),
    };
    Ok(db.query(&statement, &[&only]).await?.iter().map(machine).collect())
}

pub(super) async fn boots(db: &Transaction<'_>, machine: &str) -> Result<Vec<BootRow>, StoreError> {
    let statement = format!(
        "SELECT b.number, b.registered_at, b.revoked_at, b.ek_public, b.attester, {}
         FROM boot b LEFT JOIN standing s ON s.attester = b.attester WHERE b.machine = $1 ORDER BY b.number DESC",
        rounds::COLUMNS
    );
    let boot = |row: &Row| BootRow {
        number: unsigned(row.get(0)),
        registered_at: unsigned(row.get(1)),
        revoked_at: row.get::<_, Option<i64>>(2).map(unsigned),
        ek_public: row.get(3),
        attester: row.get(4),
        standing: rounds::standing(row, 5),
    };
    Ok(db.query(&statement, &[&machine]).await?.iter().map(boot).collect())
}
