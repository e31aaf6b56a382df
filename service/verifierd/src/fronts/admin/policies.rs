// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policies, changed while the verifier runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use evtpm_api::PolicySummary;
use evtpm_appraise::Policy;
use serde_json::Value;

use crate::access::{Caller, Role};
use crate::app::{App, now};
use crate::machines::identity::check_name;
use crate::policies::Compiled;
use crate::refusal::Refusal;
use crate::store::{Note, PolicyRow};

/// `GET /v1/policies`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<PolicySummary>>, Refusal> {
    caller.may(Role::Read)?;
    let rows = app.store.policies().await?;
    rows.iter().map(|row| describe(row, &read(&row.document)?)).collect::<Result<_, _>>().map(Json)
}

/// `GET /v1/policies/{name}`
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<Json<Value>, Refusal> {
    caller.may(Role::Read)?;
    let found = app.store.policies().await?.into_iter().find(|row| row.name == name).ok_or_else(|| unknown(&name))?;
    serde_json::from_str(&found.document).map(Json).map_err(Refusal::internal)
}

/// `PUT /v1/policies/{name}`
pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
    document: String,
) -> Result<Json<PolicySummary>, Refusal> {
    caller.may(Role::Policy)?;
    check_name("policy", &name)?;
    replace(&app, &caller, &name, read(&document)?, "").await.map(Json)
}

/// Puts a policy in place of the one of that name; `why` goes into the audit log behind what it is now.
pub(super) async fn replace(
    app: &App,
    caller: &Caller,
    name: &str,
    policy: Policy,
    why: &str,
) -> Result<PolicySummary, Refusal> {
    let document = policy.to_json().map_err(Refusal::internal)?;
    let row = PolicyRow { name: name.to_owned(), document, changed_at: now().0 };
    let summary = describe(&row, &policy)?;
    let compiled = Compiled::new(policy).map_err(|error| Refusal::bad_request(format!("{error:#}")))?;
    let detail = format!("by {}: {name} is {}{why}", caller.name, compiled.id);
    let line = Note { at: row.changed_at, machine: None, event: "policy-changed", detail };
    app.store.put_policy(row, line).await?;
    app.policies.put(name, compiled);
    Ok(summary)
}

/// `DELETE /v1/policies/{name}`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    caller.may(Role::Policy)?;
    let detail = format!("by {}: {name}", caller.name);
    let line = Note { at: now().0, machine: None, event: "policy-removed", detail };
    if !app.store.remove_policy(&name, line).await? {
        return Err(unknown(&name));
    }
    app.policies.remove(&name);
    Ok(StatusCode::NO_CONTENT)
}

/// A document that begins with a brace is JSON, any other one TOML.
pub(super) fn read(document: &str) -> Result<Policy, Refusal> {
    let is_json = document.trim_start().starts_with('{');
    let policy = if is_json { Policy::from_json(document) } else { Policy::from_toml(document) };
    policy.map_err(|error| Refusal::bad_request(error.to_string()))
}

fn describe(row: &PolicyRow, policy: &Policy) -> Result<PolicySummary, Refusal> {
    let id = policy.id().map_err(Refusal::internal)?;
    Ok(PolicySummary { name: row.name.clone(), id, about: policy.name.clone(), changed_at: row.changed_at })
}

pub(super) fn unknown(name: &str) -> Refusal {
    Refusal::unknown("unknown-policy", format!("there is no policy `{name}`"))
}
