// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Machines and their boots.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{note, rounds};
use crate::hex::hex;
use crate::store::{Binding, BootRow, KnownBoot, MachineRow, NewBoot, Note, PresentBoot, StoreError};

pub(super) fn register(db: &Connection, boot: &NewBoot, at: u64) -> Result<(u64, Option<String>), StoreError> {
    pin_identity(db, boot, at)?;
    let known = db
        .prepare_cached("SELECT 1 FROM boot WHERE ek_public = ?1")?
        .query_row([&boot.ek_public], |_| Ok(()))
        .optional()?;
    if known.is_some() {
        return Err(StoreError::KnownEk);
    }

    let revoked: Option<String> = db
        .prepare_cached("UPDATE boot SET revoked_at = ?2 WHERE machine = ?1 AND revoked_at IS NULL RETURNING attester")?
        .query_row(params![boot.machine, at], |row| row.get(0))
        .optional()?;
    if let Some(revoked) = &revoked {
        rounds::forget_logs(db, revoked)?;
    }
    let number: u64 = db
        .prepare_cached("SELECT coalesce(max(number), 0) + 1 FROM boot WHERE machine = ?1")?
        .query_row([&boot.machine], |row| row.get(0))?;
    let Binding { profile, nonce, manifest, certificates } = &boot.binding;
    db.prepare_cached(
        "INSERT INTO boot (machine, number, attester, ek_public, report, registered_at,
                           ak_public, profile, nonce, manifest, certificates, platform)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        boot.machine,
        number,
        boot.attester,
        boot.ek_public,
        boot.report,
        at,
        boot.ak_public,
        profile,
        nonce,
        manifest,
        certificates,
        boot.platform
    ])?;
    let mut detail = format!("boot {number}, EK {}", hex(&boot.ek_public));
    if let Some(revoked) = &revoked {
        detail.push_str(&format!("; revoked attester {revoked}"));
    }
    note(db, &Note { at, machine: Some(boot.machine.clone()), event: "registered", detail })?;
    Ok((number, revoked))
}

fn pin_identity(db: &Connection, boot: &NewBoot, at: u64) -> Result<(), StoreError> {
    let pinned: Option<Option<Vec<u8>>> = db
        .prepare_cached("SELECT launch_identity FROM machine WHERE name = ?1")?
        .query_row([&boot.machine], |row| row.get(0))
        .optional()?;
    match pinned {
        Some(Some(expected)) if expected != boot.launch_identity => Err(StoreError::OtherIdentity {
            machine: boot.machine.clone(),
            expected,
            actual: boot.launch_identity.clone(),
        }),
        Some(Some(_)) => Ok(()),
        Some(None) | None => {
            db.prepare_cached(
                "INSERT INTO machine (name, launch_identity, measurement, created_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET
                     launch_identity = excluded.launch_identity, measurement = excluded.measurement",
            )?
            .execute(params![boot.machine, boot.launch_identity, boot.measurement, at])?;
            Ok(())
        }
    }
}

/// The columns of a boot and of where it stands, in the order in which [`known_boot`] reads them.
const COLUMNS: &str =
    "b.machine, b.number, b.revoked_at IS NOT NULL, b.ek_public, b.report, b.ak_public, b.profile, b.nonce,
    b.manifest, b.certificates";

pub(super) fn boot(db: &Connection, attester: &str) -> Result<Option<KnownBoot>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, {} FROM boot b LEFT JOIN standing s ON s.attester = b.attester WHERE b.attester = ?1",
        rounds::COLUMNS
    ))?;
    Ok(statement.query_row([attester], known_boot).optional()?)
}

fn known_boot(row: &Row<'_>) -> rusqlite::Result<KnownBoot> {
    let (ak_public, profile): (Option<Vec<u8>>, Option<String>) = (row.get(5)?, row.get(6)?);
    let (nonce, manifest, certificates) = (row.get(7)?, row.get(8)?, row.get(9)?);
    Ok(KnownBoot {
        machine: row.get(0)?,
        number: row.get(1)?,
        revoked: row.get(2)?,
        ek_public: row.get(3)?,
        report: row.get(4)?,
        belief: ak_public.zip(profile.map(|profile| Binding { profile, nonce, manifest, certificates })),
        standing: rounds::standing(row, 10)?,
    })
}

pub(super) fn present_boot(db: &Connection, machine: &str) -> Result<Option<PresentBoot>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, {}, b.attester, b.registered_at, s.shown
         FROM boot b LEFT JOIN standing s ON s.attester = b.attester WHERE b.machine = ?1 AND b.revoked_at IS NULL",
        rounds::COLUMNS
    ))?;
    let found = statement.query_row([machine], |row| {
        let (attester, registered_at, shown) = (row.get("attester")?, row.get("registered_at")?, row.get("shown")?);
        Ok(PresentBoot { attester, registered_at, boot: known_boot(row)?, shown })
    });
    Ok(found.optional()?)
}

pub(super) fn list(db: &Connection, only: Option<&str>) -> Result<Vec<MachineRow>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT m.name, m.measurement, m.policy, m.clone_alarm, coalesce(b.number, 0), b.platform, b.profile, {}
         FROM machine m
         LEFT JOIN boot b ON b.machine = m.name AND b.revoked_at IS NULL
         LEFT JOIN standing s ON s.attester = b.attester
         WHERE ?1 IS NULL OR m.name = ?1
         ORDER BY m.name",
        rounds::COLUMNS
    ))?;
    let rows = statement.query_map([only], |row| {
        Ok(MachineRow {
            name: row.get(0)?,
            measurement: row.get(1)?,
            policy: row.get(2)?,
            clone_alarm: row.get(3)?,
            boots: row.get(4)?,
            platform: row.get(5)?,
            profile: row.get(6)?,
            standing: rounds::standing(row, 7)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn boots(db: &Connection, machine: &str) -> Result<Vec<BootRow>, StoreError> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT b.number, b.registered_at, b.revoked_at, b.ek_public, b.attester, {}
         FROM boot b LEFT JOIN standing s ON s.attester = b.attester WHERE b.machine = ?1 ORDER BY b.number DESC",
        rounds::COLUMNS
    ))?;
    let rows = statement.query_map([machine], |row| {
        Ok(BootRow {
            number: row.get(0)?,
            registered_at: row.get(1)?,
            revoked_at: row.get(2)?,
            ek_public: row.get(3)?,
            attester: row.get(4)?,
            standing: rounds::standing(row, 5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
