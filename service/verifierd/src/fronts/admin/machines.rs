// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which machines there are, and how they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use evtpm_api::{BootSummary, MachineDetails, MachineRequest, MachineSummary};

use crate::access::{Caller, Role};
use crate::app::{App, now};
use crate::hex::hex;
use crate::keylime::{registrations, summaries, watches};
use crate::keys::leases;
use crate::machines::identity::check_name;
use crate::machines::{state, summary};
use crate::refusal::Refusal;
use crate::store::{BootRow, Note};

/// `GET /v1/machines`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<MachineSummary>>, Refusal> {
    caller.may(Role::Read)?;
    let now = now().0;
    let mut machines: Vec<_> = app.store.machines(None).await?.into_iter().map(|row| summary(&app, row, now)).collect();
    machines.extend(summaries::all(&app).await?);
    Ok(Json(machines))
}

/// `GET /v1/machines/{name}`
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<MachineDetails>, Refusal> {
    caller.may(Role::Read)?;
    let Some(row) = app.store.machines(Some(&name)).await?.pop() else {
        return summaries::find(&app, &name).await?.map(Json).ok_or_else(|| unknown(&name));
    };
    let now = now().0;
    let machine = summary(&app, row, now);
    let boot = |row: BootRow| BootSummary {
        boot: row.number,
        registered_at: row.registered_at,
        revoked_at: row.revoked_at,
        ek_public: hex(&row.ek_public),
        state: state(row.standing.as_ref(), now, app.settings.stale_after),
        rounds: row.standing.as_ref().map_or(0, |standing| standing.rounds),
        last_verdict_at: row.standing.as_ref().map(|standing| standing.at),
    };
    let history = app.store.boots(&name).await?.into_iter().map(boot).collect();
    Ok(Json(MachineDetails { machine, history }))
}

/// `PUT /v1/machines/{name}`
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    body: Result<Json<MachineRequest>, JsonRejection>,
) -> Result<Json<MachineSummary>, Refusal> {
    caller.may(Role::Operate)?;
    let Json(MachineRequest { policy }) = body?;
    check_name("machine", &name)?;
    let before = app.store.machines(Some(&name)).await?.pop();
    if before.as_ref().and_then(|row| row.policy.as_ref()) != policy.as_ref() {
        caller.may(Role::Policy)?;
    }
    let detail = format!("by {}: policy {}", caller.name, policy.as_deref().unwrap_or("default"));
    let event = if before.is_some() { "machine-changed" } else { "machine-added" };
    app.store.put_machine(&name, policy.as_deref(), note(&name, event, detail)).await?;
    app.policies.assign(&name, policy.as_deref());
    leases::review(&app, &name).await?;
    find(&app, &name).await.map(Json)
}

/// `DELETE /v1/machines/{name}`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    caller.may(Role::Operate)?;
    let line = note(&name, "machine-removed", format!("by {}", caller.name));
    if !app.store.remove_machine(&name, line.clone()).await? {
        // An agent of Keylime: what was ordered goes, and what it registered.
        let was_watched = watches::remove(&app, &name, line).await?;
        let was_registered = registrations::remove(&app, &name, &caller.name).await?;
        return if was_watched || was_registered { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&name)) };
    }
    app.policies.assign(&name, None);
    app.live.remove_machine(&name);
    leases::review(&app, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/machines/{name}/alarm`
pub(super) async fn end_alarm(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    caller.may(Role::Operate)?;
    let line = note(&name, "clone-alarm-ended", format!("by {}", caller.name));
    if app.store.end_clone_alarm(&name, line).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&name)) }
}

pub(super) async fn find(app: &App, name: &str) -> Result<MachineSummary, Refusal> {
    let found = app.store.machines(Some(name)).await?.pop();
    found.map(|row| summary(app, row, now().0)).ok_or_else(|| unknown(name))
}

fn note(machine: &str, event: &'static str, detail: String) -> Note {
    Note { at: now().0, machine: Some(machine.to_owned()), event, detail }
}

fn unknown(name: &str) -> Refusal {
    Refusal::unknown("unknown-machine", format!("there is no machine `{name}`"))
}
