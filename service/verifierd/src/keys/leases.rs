// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Leases: a key in the hands of one boot of one machine, until the machine fails, falls silent, boots anew, is removed,
//! loses its permission, or an operator ends it.
//!
//! The leases of a machine are one document of the store. They are looked at when something happens to the machine, and
//! from time to time by whichever process takes them, so that no end is missed because a process was killed.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use evtpm_api::{Lease, MachineState};
use serde::{Deserialize, Serialize};

use super::named;
use crate::app::{App, now};
use crate::machines::state;
use crate::random;
use crate::refusal::Refusal;
use crate::store::{Item, Note, StoreError};

/// The kind of the store's items; their names are those of machines.
const LEASES: &str = "leases";

/// Seconds between two looks at the leases of a machine to which nothing happens.
const LOOK: u64 = 15;

/// How often is looked for documents that are due.
const TICK: Duration = Duration::from_secs(1);

/// Documents that are taken at once.
const AT_ONCE: u32 = 256;

/// Ended leases of a machine that are kept to be shown; the audit log has all.
const SHOWN: usize = 32;

/// How often a document is read anew because another request changed it meanwhile.
const TRIES: usize = 8;

/// The leases of one machine.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Book(Vec<Entry>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    lease: String,
    attester: String,
    boot: u64,
    key: String,
    since: u64,
    last_release: u64,
    releases: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<End>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct End {
    at: u64,
    because: String,
    /// An operator said so: this boot does not get the key again.
    #[serde(default)]
    by_operator: bool,
}

/// Who gets a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder<'a> {
    pub(super) machine: &'a str,
    pub(super) attester: &'a str,
    pub(super) boot: u64,
}

/// Writes down that a key is about to be released; returns the lease's name. A boot that asks again keeps its lease.
pub(super) async fn grant(app: &App, holder: Holder<'_>, key: &str) -> Result<String, Refusal> {
    let fresh = random::name()?;
    let at = now().0;
    let written = update(app, holder.machine, |book| {
        let of_boot = |entry: &&mut Entry| entry.attester == holder.attester && entry.key == key;
        if book.0.iter_mut().filter(of_boot).any(|entry| entry.ended.as_ref().is_some_and(|end| end.by_operator)) {
            let message = format!("an operator ended this boot's lease of {key}");
            return Err(Refusal::not_trusted(message));
        }
        let known = book.0.iter_mut().filter(of_boot).find(|entry| entry.ended.is_none());
        let lease = match known {
            Some(entry) => {
                entry.last_release = at;
                entry.releases = entry.releases.saturating_add(1);
                entry.lease.clone()
            }
            None => {
                book.0.push(Entry {
                    lease: fresh.clone(),
                    attester: holder.attester.to_owned(),
                    boot: holder.boot,
                    key: key.to_owned(),
                    since: at,
                    last_release: at,
                    releases: 1,
                    ended: None,
                });
                fresh.clone()
            }
        };
        let detail = format!("{key} to boot {}, lease {lease}", holder.boot);
        Ok(Some((lease, Note { at, machine: Some(holder.machine.to_owned()), event: "key-released", detail })))
    });
    let lease = written.await?.ok_or_else(|| Refusal::internal("a lease was not written"))?;
    app.metrics.key_releases.fetch_add(1, Relaxed);
    app.events.tell(at, holder.machine, "key-released", format!("{key} to boot {}", holder.boot));
    Ok(lease)
}

/// Ends one lease on an operator's word. Tells whether it was live.
pub(crate) async fn revoke(app: &App, machine: &str, lease: &str, by: &str) -> Result<bool, Refusal> {
    let because = |entry: &Entry| (entry.lease == lease).then(|| format!("revoked by {by}"));
    end(app, machine, because, true).await
}

/// Lists the leases of all machines.
pub(crate) async fn all(app: &App) -> Result<Vec<Lease>, Refusal> {
    let mut leases = Vec::new();
    for item in app.store.items(LEASES).await? {
        leases.extend(shown(&item, |_| true)?);
    }
    Ok(leases)
}

/// Lists the leases of a machine, or of one of its boots.
pub(crate) async fn of(app: &App, machine: &str, attester: Option<&str>) -> Result<Vec<Lease>, Refusal> {
    let Some(item) = app.store.item(LEASES, machine).await? else { return Ok(Vec::new()) };
    shown(&item, |entry| attester.is_none_or(|attester| entry.attester == attester))
}

fn shown(item: &Item, which: impl Fn(&Entry) -> bool) -> Result<Vec<Lease>, Refusal> {
    let lease = |entry: Entry| Lease {
        lease: entry.lease,
        machine: item.name.clone(),
        boot: entry.boot,
        key: entry.key,
        since: entry.since,
        last_release: entry.last_release,
        releases: entry.releases,
        ended_at: entry.ended.as_ref().map(|end| end.at),
        ended_because: entry.ended.map(|end| end.because),
    };
    Ok(read(item)?.0.into_iter().filter(which).map(lease).collect())
}

/// Ends those leases of a machine that it may not have any more, for whatever reason.
pub(crate) async fn review(app: &App, machine: &str) -> Result<(), Refusal> {
    let live: Vec<Lease> = of(app, machine, None).await?.into_iter().filter(Lease::is_live).collect();
    if live.is_empty() {
        return Ok(());
    }
    let row = app.store.machines(Some(machine)).await?.pop();
    let general = match &row {
        None => Some("the machine was removed".to_owned()),
        Some(row) => match state(row.standing.as_ref(), now().0, app.settings.stale_after) {
            MachineState::Healthy => None,
            state => Some(format!("the machine is {}", state.name())),
        },
    };
    let boot = row.map_or(0, |row| row.boots);
    let mut forbidden = Vec::new();
    for lease in &live {
        match named::permitted(app, machine, &lease.key).await {
            Ok(_) => {}
            Err(refusal) if refusal.is_unknown() => forbidden.push(lease.key.clone()),
            Err(refusal) => return Err(refusal),
        }
    }
    let because = |entry: &Entry| {
        if boot != 0 && entry.boot != boot {
            return Some(format!("boot {boot} registered"));
        }
        let taken = || forbidden.contains(&entry.key).then(|| "the key is not for this machine any more".to_owned());
        general.clone().or_else(taken)
    };
    end(app, machine, because, false).await.map(drop)
}

/// As [`review`], where a failure must not keep the caller from its own work: the next look catches up.
pub(crate) async fn review_or_later(app: &App, machine: &str) {
    if let Err(refusal) = review(app, machine).await {
        tracing::error!(machine, error = refusal.message(), "looking at the leases of a machine");
    }
}

/// Reviews every machine that has a live lease of a key.
pub(super) async fn review_all(app: &App, key: &str) -> Result<(), Refusal> {
    for item in app.store.items(LEASES).await? {
        if read(&item)?.0.iter().any(|entry| entry.ended.is_none() && entry.key == key) {
            review(app, &item.name).await?;
        }
    }
    Ok(())
}

/// Looks at leases from time to time, until the process ends.
pub(crate) async fn watch(app: Arc<App>) {
    loop {
        tokio::time::sleep(TICK).await;
        let at = now().0;
        match app.store.claim(LEASES, at, at.saturating_add(LOOK), AT_ONCE).await {
            Ok(due) => {
                for item in due {
                    review_or_later(&app, &item.name).await;
                }
            }
            Err(error) => tracing::error!(%error, "looking for leases that are due"),
        }
    }
}

/// Ends the live leases of a machine for which there is a reason. Tells whether there were any.
async fn end(
    app: &App,
    machine: &str,
    because: impl Fn(&Entry) -> Option<String>,
    by_operator: bool,
) -> Result<bool, Refusal> {
    let at = now().0;
    let ended = update(app, machine, |book| {
        let mut ended = Vec::new();
        for entry in book.0.iter_mut().filter(|entry| entry.ended.is_none()) {
            let Some(because) = because(entry) else { continue };
            ended.push(format!("{} of boot {}, lease {}: {because}", entry.key, entry.boot, entry.lease));
            entry.ended = Some(End { at, because, by_operator });
        }
        let detail = ended.join("; ");
        let line = Note { at, machine: Some(machine.to_owned()), event: "lease-ended", detail };
        Ok((!ended.is_empty()).then_some((ended, line)))
    });
    let ended = ended.await?.unwrap_or_default();
    for detail in &ended {
        app.metrics.leases_ended.fetch_add(1, Relaxed);
        app.events.tell(at, machine, "lease-ended", detail.clone());
    }
    Ok(!ended.is_empty())
}

/// Changes the document of a machine; `None` leaves it as it is. Another request may be faster: then all is done again.
async fn update<T>(
    app: &App,
    machine: &str,
    change: impl Fn(&mut Book) -> Result<Option<(T, Note)>, Refusal>,
) -> Result<Option<T>, Refusal> {
    for _ in 0..TRIES {
        let item = app.store.item(LEASES, machine).await?;
        let empty = || Item { name: machine.to_owned(), body: "[]".to_owned(), version: 0, due_at: None };
        let item = item.unwrap_or_else(empty);
        let mut book = read(&item)?;
        let Some((value, line)) = change(&mut book)? else { return Ok(None) };
        book.forget_old();
        let is_live = book.0.iter().any(|entry| entry.ended.is_none());
        let due_at = is_live.then(|| now().0.saturating_add(LOOK));
        let body = serde_json::to_string(&book).map_err(Refusal::internal)?;
        match app.store.put_item(LEASES, Item { body, due_at, ..item }, Some(line)).await {
            Ok(()) => return Ok(Some(value)),
            Err(StoreError::Changed(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::conflict(format!("the leases of {machine} are being changed by many requests; try again")))
}

impl Book {
    /// Drops the oldest of the ended leases, if there are many.
    fn forget_old(&mut self) {
        let ended = self.0.iter().filter(|entry| entry.ended.is_some()).count();
        let mut surplus = ended.saturating_sub(SHOWN);
        self.0.retain(|entry| {
            let goes = entry.ended.is_some() && surplus > 0;
            surplus = surplus.saturating_sub(usize::from(goes));
            !goes
        });
    }
}

fn read(item: &Item) -> Result<Book, Refusal> {
    serde_json::from_str(&item.body).map_err(Refusal::internal)
}

#[cfg(test)]
mod tests {
    use evtpm_api::{Grants, NewKey};

    use super::*;
    use crate::app::testing::TestApp;
    use crate::store::testing::{boot, round};

    /// An app with a machine `vm` that was found trusted some seconds ago, and has a lease of the key `disk`.
    async fn leased(name: &str, seconds_ago: u64) -> TestApp {
        let app = TestApp::new(name);
        let grants = Grants { machines: ["vm".to_owned()].into(), ..Grants::default() };
        named::add(&app, "disk", NewKey { grants, ..NewKey::default() }, "test").await.unwrap();
        app.store.register(boot("vm", b"id", "a1", b"ek1"), 1).await.unwrap();
        app.store.record(round("a1", "trusted", now().0 - seconds_ago)).await.unwrap();
        grant(&app, Holder { machine: "vm", attester: "a1", boot: 1 }, "disk").await.unwrap();
        app
    }

    async fn ends(app: &App) -> Vec<Option<String>> {
        of(app, "vm", None).await.unwrap().into_iter().map(|lease| lease.ended_because).collect()
    }

    #[tokio::test]
    async fn a_lease_of_a_machine_that_falls_silent_ends_though_nothing_happens() {
        let app = leased("lease-stale", 1_000).await;
        let due = app.store.claim(LEASES, now().0 + LOOK, now().0 + 2 * LOOK, AT_ONCE).await.unwrap();
        assert_eq!(due.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["vm"]);
        review(&app, "vm").await.unwrap();
        assert_eq!(ends(&app).await, [Some("the machine is stale".to_owned())]);
        let due = app.store.claim(LEASES, u64::MAX >> 1, u64::MAX >> 1, AT_ONCE).await.unwrap();
        assert!(due.is_empty(), "what has ended is not looked at again");
    }

    #[tokio::test]
    async fn a_lease_of_a_healthy_machine_goes_on() {
        let app = leased("lease-healthy", 1).await;
        review(&app, "vm").await.unwrap();
        assert_eq!(ends(&app).await, [None]);
    }

    #[tokio::test]
    async fn two_releases_at_once_are_both_written_down() {
        let app = leased("lease-race", 1).await;
        let holder = Holder { machine: "vm", attester: "a1", boot: 1 };
        let (one, two) = tokio::join!(grant(&app, holder, "disk"), grant(&app, holder, "disk"));
        assert_eq!(one.unwrap(), two.unwrap());
        assert_eq!(of(&app, "vm", None).await.unwrap()[0].releases, 3);
    }

    #[test]
    fn the_oldest_ended_leases_are_forgotten_and_live_ones_never() {
        let entry = |number: usize, ended| Entry {
            lease: number.to_string(),
            attester: String::new(),
            boot: 1,
            key: String::new(),
            since: 0,
            last_release: 0,
            releases: 1,
            ended,
        };
        let end = || Some(End { at: 1, because: String::new(), by_operator: false });
        let mut book =
            Book((0..SHOWN + 3).map(|number| entry(number, if number == 1 { None } else { end() })).collect());
        book.forget_old();
        let left: Vec<_> = book.0.iter().map(|entry| entry.lease.parse::<usize>().unwrap()).collect();
        assert_eq!(left.len(), SHOWN + 1);
        assert_eq!(left[..2], [1, 3]);
    }
}
