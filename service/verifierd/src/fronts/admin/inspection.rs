// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One machine's evidence to be looked at, and what a changed policy would do.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use evtpm_api::{AcceptRequest, BootLogPage, ImaPage, MachineChain, PolicyEffect};

use super::machines::find;
use super::policies::{read, replace};
use crate::access::{Caller, Role};
use crate::app::App;
use crate::inspect::{self, ImaQuery};
use crate::keylime::summaries;
use crate::policies::Compiled;
use crate::refusal::Refusal;
use crate::store::KeptLogs;

/// `GET /v1/machines/{name}/chain`
pub(super) async fn chain(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<MachineChain>, Refusal> {
    caller.may(Role::Read)?;
    if let Some(agent) = summaries::find(&app, &name).await? {
        return Ok(Json(MachineChain { machine: agent.machine, boot: None, links: Vec::new() }));
    }
    let machine = find(&app, &name).await?;
    let Some(present) = app.store.present_boot(&name).await? else {
        return Ok(Json(MachineChain { machine, boot: None, links: Vec::new() }));
    };
    let boot = Some(present.boot.number);
    let logs = app.store.logs(&present.attester).await?;
    let links = app.busy(move |app| Ok(inspect::chain(app, &present, &logs))).await?;
    Ok(Json(MachineChain { machine, boot, links }))
}

/// `GET /v1/machines/{name}/boot-log`
pub(super) async fn boot_log(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<BootLogPage>, Refusal> {
    caller.may(Role::Read)?;
    find(&app, &name).await?;
    let logs = logs(&app, &name).await?;
    app.busy(move |_| Ok(inspect::boot_log(&logs))).await.map(Json)
}

/// `GET /v1/machines/{name}/ima`
pub(super) async fn ima(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(query): Query<ImaQuery>,
    caller: Caller,
) -> Result<Json<ImaPage>, Refusal> {
    caller.may(Role::Read)?;
    let machine = find(&app, &name).await?;
    let logs = logs(&app, &name).await?;
    app.busy(move |_| Ok(inspect::ima(&logs, &machine.findings, &query))).await.map(Json)
}

async fn logs(app: &App, machine: &str) -> Result<KeptLogs, Refusal> {
    match app.store.present_boot(machine).await? {
        Some(present) => Ok(app.store.logs(&present.attester).await?),
        None => Ok(KeptLogs::default()),
    }
}

/// `POST /v1/policies/{name}/trial`
pub(super) async fn try_policy(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    document: String,
) -> Result<Json<PolicyEffect>, Refusal> {
    caller.may(Role::Read)?;
    let changed = compile(read(&document)?)?;
    inspect::try_on(&app, &name, changed).await.map(Json)
}

/// `POST /v1/policies/{name}/files`
pub(super) async fn accept(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    body: Result<Json<AcceptRequest>, JsonRejection>,
) -> Result<Json<PolicyEffect>, Refusal> {
    let Json(AcceptRequest { files, dry_run }) = body?;
    caller.may(if dry_run { Role::Read } else { Role::Policy })?;
    let found = app.store.policies().await?.into_iter().find(|row| row.name == name);
    let row = found.ok_or_else(|| super::policies::unknown(&name))?;
    let detail = files.iter().map(|file| format!("{} {}", file.path, file.digest)).collect::<Vec<_>>().join(", ");
    let policy = inspect::accept(read(&row.document)?, files)?;
    let changed = compile(policy.clone())?;
    if dry_run {
        return inspect::try_on(&app, &name, changed).await.map(Json);
    }
    let effect = inspect::effect(&name, &changed, true);
    replace(&app, &caller, &name, policy, &format!("; accepted {detail}")).await?;
    Ok(Json(effect))
}

fn compile(policy: evtpm_appraise::Policy) -> Result<Compiled, Refusal> {
    Compiled::new(policy).map_err(|error| Refusal::bad_request(format!("{error:#}")))
}
