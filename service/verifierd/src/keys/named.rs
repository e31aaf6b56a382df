// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Named storage keys: made here, encrypted in the store, and for whom they are.

use evtpm_api::{Bytes, GrantChange, Grants, KeyKind, KeySummary, NewKey};
use evtpm_crypto::RustCrypto;
use evtpm_protocol::intermediate::{INTERMEDIATE_KEY_SIZE, IntermediateKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::leases;
use crate::app::{App, now};
use crate::random::SystemRng;
use crate::refusal::Refusal;
use crate::store::{Item, Note};

/// The kind of the store's items.
const KEY: &str = "key";

/// What the store has of a key.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    kind: KeyKind,
    grants: Grants,
    created_at: u64,
    /// The whole key, encrypted.
    sealed: Bytes,
}

/// A key that a machine may have, still encrypted.
#[derive(Debug)]
pub(crate) struct Permitted {
    name: String,
    sealed: Vec<u8>,
}

/// Makes a key.
pub(crate) async fn add(app: &App, name: &str, new: NewKey, by: &str) -> Result<KeySummary, Refusal> {
    let kind = new.kind;
    let made = tokio::task::spawn_blocking(move || make(kind)).await.map_err(Refusal::internal)??;
    let sealed = app.broker.vault.seal(&sealed_as(name), &made)?.into();
    let record = Record { kind, grants: new.grants, created_at: now().0, sealed };
    let item = Item { name: name.to_owned(), body: write(&record)?, version: 0, due_at: None };
    let line = note("key-added", format!("by {by}: {name} ({}) for {}", kind.name(), words(&record.grants)));
    let added = app.store.put_item(KEY, item, Some(line)).await;
    added.map_err(|error| match error {
        crate::store::StoreError::Changed(name) => crate::store::StoreError::Exists(name),
        other => other,
    })?;
    Ok(summary(name, record, 0))
}

/// RSA keys take a while.
fn make(kind: KeyKind) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let key = match kind {
        KeyKind::Ecc => IntermediateKey::generate::<RustCrypto>(&mut SystemRng),
        KeyKind::Rsa => IntermediateKey::generate_rsa(&mut SystemRng),
    };
    let mut bytes = Zeroizing::new([0; INTERMEDIATE_KEY_SIZE]);
    let size = key.and_then(|key| key.write(&mut bytes)).map_err(failed)?;
    Ok(Zeroizing::new(bytes.get(..size).unwrap_or_default().to_vec()))
}

/// Lists all keys, with the number of their live leases.
pub(crate) async fn list(app: &App) -> Result<Vec<KeySummary>, Refusal> {
    let leases = leases::all(app).await?;
    let live = |key: &str| leases.iter().filter(|lease| lease.is_live() && lease.key == key).count();
    let keys = app.store.items(KEY).await?;
    keys.into_iter()
        .map(|item| Ok(summary(&item.name, read(&item)?, u64::try_from(live(&item.name)).unwrap_or(u64::MAX))))
        .collect()
}

/// Changes whom a key is for, and ends the leases of those who may not have it any more.
pub(crate) async fn change(app: &App, name: &str, change: GrantChange, by: &str) -> Result<(), Refusal> {
    let item = app.store.item(KEY, name).await?.ok_or_else(|| unknown(name))?;
    let mut record = read(&item)?;
    let Grants { machines, policies } = &mut record.grants;
    machines.extend(change.give.machines);
    policies.extend(change.give.policies);
    machines.retain(|machine| !change.take.machines.contains(machine));
    policies.retain(|policy| !change.take.policies.contains(policy));
    let line = note("key-granted", format!("by {by}: {name} is for {}", words(&record.grants)));
    app.store.put_item(KEY, Item { body: write(&record)?, ..item }, Some(line)).await?;
    leases::review_all(app, name).await
}

/// Forgets a key: what is sealed below it can never be opened again.
pub(crate) async fn remove(app: &App, name: &str, by: &str) -> Result<(), Refusal> {
    if !app.store.remove_item(KEY, name, Some(note("key-removed", format!("by {by}: {name}")))).await? {
        return Err(unknown(name));
    }
    leases::review_all(app, name).await
}

/// Finds a key for a machine. To a machine that may not have it, it does not exist.
pub(crate) async fn permitted(app: &App, machine: &str, name: &str) -> Result<Permitted, Refusal> {
    let refused = || Refusal::unknown("unknown-key", format!("there is no key `{name}` for {machine}"));
    let item = app.store.item(KEY, name).await?.ok_or_else(refused)?;
    let Record { grants, sealed, .. } = read(&item)?;
    let may = grants.machines.contains(machine) || grants.policies.contains(&app.policies.name_of(machine));
    if may { Ok(Permitted { name: item.name, sealed: sealed.0 }) } else { Err(refused()) }
}

impl Permitted {
    /// Decrypts the key.
    pub(crate) fn open(&self, app: &App) -> Result<IntermediateKey, Refusal> {
        let opened = app.broker.vault.open_sealed(&sealed_as(&self.name), &self.sealed)?;
        IntermediateKey::read(&opened).map_err(failed)
    }
}

fn sealed_as(name: &str) -> String {
    format!("key {name}")
}

fn read(item: &Item) -> Result<Record, Refusal> {
    serde_json::from_str(&item.body).map_err(Refusal::internal)
}

fn write(record: &Record) -> Result<String, Refusal> {
    serde_json::to_string(record).map_err(Refusal::internal)
}

fn summary(name: &str, record: Record, leases: u64) -> KeySummary {
    let Record { kind, grants, created_at, .. } = record;
    KeySummary { key: name.to_owned(), kind, grants, created_at, leases }
}

/// Puts grants into words, for the audit log.
fn words(grants: &Grants) -> String {
    let machines = grants.machines.iter().map(|machine| format!("machine {machine}"));
    let policies = grants.policies.iter().map(|policy| format!("policy {policy}"));
    let all: Vec<String> = machines.chain(policies).collect();
    if all.is_empty() { "nobody".to_owned() } else { all.join(", ") }
}

fn note(event: &'static str, detail: String) -> Note {
    Note { at: now().0, machine: None, event, detail }
}

pub(crate) fn unknown(name: &str) -> Refusal {
    Refusal::unknown("unknown-key", format!("there is no key `{name}`"))
}

pub(super) fn failed(error: evtpm_protocol::ProtocolError) -> Refusal {
    Refusal::internal(format!("{error:?}"))
}
