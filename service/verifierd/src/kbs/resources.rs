// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Resources: encrypted in the store, for the guests that some policies find good.

use std::collections::BTreeSet;

use evtpm_api::{Bytes, NewResource, ResourceSummary};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::app::{App, now};
use crate::refusal::Refusal;
use crate::store::{Item, Note};

/// The kind of the store's items; their names are paths.
const RESOURCE: &str = "resource";

/// What the store has of a resource.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) policies: BTreeSet<String>,
    size: u64,
    changed_at: u64,
    /// The content, encrypted.
    sealed: Bytes,
}

/// Adds or changes a resource.
pub(crate) async fn put(app: &App, path: &str, new: NewResource, by: &str) -> Result<ResourceSummary, Refusal> {
    let known = app.store.item(RESOURCE, path).await?;
    let sealed = app.broker.vault().seal(&sealed_as(path), &new.content)?.into();
    let size = u64::try_from(new.content.len()).unwrap_or(u64::MAX);
    let record = Record { policies: new.policies, size, changed_at: now().0, sealed };
    let body = serde_json::to_string(&record).map_err(Refusal::internal)?;
    let item = Item { name: path.to_owned(), body, version: known.map_or(0, |item| item.version), due_at: None };
    let whom: Vec<&str> = record.policies.iter().map(String::as_str).collect();
    let line = note("resource-put", format!("by {by}: {path} for the policies {}", whom.join(", ")));
    app.store.put_item(RESOURCE, item, Some(line)).await?;
    Ok(summary(path, record))
}

/// Lists all resources.
pub(crate) async fn list(app: &App) -> Result<Vec<ResourceSummary>, Refusal> {
    let items = app.store.items(RESOURCE).await?;
    items.into_iter().map(|item| Ok(summary(&item.name, read(&item)?))).collect()
}

/// Forgets a resource.
pub(crate) async fn remove(app: &App, path: &str, by: &str) -> Result<(), Refusal> {
    let line = note("resource-removed", format!("by {by}: {path}"));
    if app.store.remove_item(RESOURCE, path, Some(line)).await? { Ok(()) } else { Err(unknown(path)) }
}

/// Finds a resource.
pub(super) async fn find(app: &App, path: &str) -> Result<Record, Refusal> {
    read(&app.store.item(RESOURCE, path).await?.ok_or_else(|| unknown(path))?)
}

impl Record {
    /// Decrypts the content.
    pub(super) fn open(&self, app: &App, path: &str) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        app.broker.vault().open_sealed(&sealed_as(path), &self.sealed)
    }
}

fn sealed_as(path: &str) -> String {
    format!("resource {path}")
}

fn read(item: &Item) -> Result<Record, Refusal> {
    serde_json::from_str(&item.body).map_err(Refusal::internal)
}

fn summary(path: &str, record: Record) -> ResourceSummary {
    let Record { policies, size, changed_at, .. } = record;
    ResourceSummary { resource: path.to_owned(), policies, size, changed_at }
}

pub(super) fn note(event: &'static str, detail: String) -> Note {
    Note { at: now().0, machine: None, event, detail }
}

fn unknown(path: &str) -> Refusal {
    Refusal::unknown("unknown-resource", format!("there is no resource `{path}`"))
}
