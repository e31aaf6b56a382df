// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The broker's keys and resources, whom they are for, and who has them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use evtpm_api::{GrantChange, Grants, KeySummary, Lease, NewKey, NewResource, ResourceSummary};

use crate::access::{Caller, Role};
use crate::app::App;
use crate::kbs::resources;
use crate::keys::{leases, named};
use crate::machines::identity::check_name;
use crate::refusal::Refusal;

/// `GET /v1/keys`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<KeySummary>>, Refusal> {
    caller.may(Role::Read)?;
    named::list(&app).await.map(Json)
}

/// `GET /v1/keys/{name}`
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<KeySummary>, Refusal> {
    caller.may(Role::Read)?;
    find(&app, &name).await.map(Json)
}

/// `PUT /v1/keys/{name}`
pub(super) async fn add(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    body: Result<Json<NewKey>, JsonRejection>,
) -> Result<Json<KeySummary>, Refusal> {
    caller.may(Role::Keys)?;
    let Json(new) = body?;
    check_name("key", &name)?;
    check_grants(&new.grants)?;
    named::add(&app, &name, new, &caller.name).await.map(Json)
}

/// `PUT /v1/keys/{name}/grants`
pub(super) async fn grant(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    body: Result<Json<GrantChange>, JsonRejection>,
) -> Result<Json<KeySummary>, Refusal> {
    caller.may(Role::Keys)?;
    let Json(change) = body?;
    check_grants(&change.give)?;
    named::change(&app, &name, change, &caller.name).await?;
    find(&app, &name).await.map(Json)
}

/// `DELETE /v1/keys/{name}`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    caller.may(Role::Keys)?;
    named::remove(&app, &name, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/leases`
pub(super) async fn leases(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<Lease>>, Refusal> {
    caller.may(Role::Read)?;
    leases::all(&app).await.map(Json)
}

/// `GET /v1/machines/{name}/leases`
pub(super) async fn leases_of(
    State(app): State<Arc<App>>,
    Path(machine): Path<String>,
    caller: Caller,
) -> Result<Json<Vec<Lease>>, Refusal> {
    caller.may(Role::Read)?;
    leases::of(&app, &machine, None).await.map(Json)
}

/// `DELETE /v1/machines/{name}/leases/{lease}`
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    Path((machine, lease)): Path<(String, String)>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    caller.may(Role::Operate)?;
    if leases::revoke(&app, &machine, &lease, &caller.name).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::unknown("unknown-lease", format!("{machine} has no live lease `{lease}`")))
}

fn check_grants(grants: &Grants) -> Result<(), Refusal> {
    grants.machines.iter().try_for_each(|machine| check_name("machine", machine))?;
    grants.policies.iter().try_for_each(|policy| check_name("policy", policy))
}

async fn find(app: &App, name: &str) -> Result<KeySummary, Refusal> {
    let keys = named::list(app).await?;
    keys.into_iter().find(|key| key.key == name).ok_or_else(|| named::unknown(name))
}

/// `GET /v1/resources`
pub(super) async fn resources(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Json<Vec<ResourceSummary>>, Refusal> {
    caller.may(Role::Read)?;
    resources::list(&app).await.map(Json)
}

/// `PUT /v1/resources/{repository}/{type}/{tag}`
pub(super) async fn put_resource(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String, String)>,
    caller: Caller,
    body: Result<Json<NewResource>, JsonRejection>,
) -> Result<Json<ResourceSummary>, Refusal> {
    caller.may(Role::Keys)?;
    let Json(new) = body?;
    new.policies.iter().try_for_each(|policy| check_name("policy", policy))?;
    resources::put(&app, &resource_path(&path)?, new, &caller.name).await.map(Json)
}

/// `DELETE /v1/resources/{repository}/{type}/{tag}`
pub(super) async fn remove_resource(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String, String)>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    caller.may(Role::Keys)?;
    resources::remove(&app, &resource_path(&path)?, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn resource_path((repository, kind, tag): &(String, String, String)) -> Result<String, Refusal> {
    [repository, kind, tag].into_iter().try_for_each(|part| check_name("resource", part))?;
    Ok(format!("{repository}/{kind}/{tag}"))
}
