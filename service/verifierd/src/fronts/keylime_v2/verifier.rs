// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The verifier's requests: which agents are watched, and how they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Extension, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use evtpm_keylime::Nothing;
use evtpm_keylime::verifier::{AddAgent, AgentStatus, OperationalState, WatchedIds};
use serde::Deserialize;

use super::registrar::Named;
use super::reply::{Body, Refused, Reply, Success};
use super::{boot_policies, policies};
use crate::app::{App, now};
use crate::keylime::watches::{self, WATCHED, Watch};
use crate::keylime::{boot, evidence, rules::RuntimeRules};
use crate::listener::ClientName;
use crate::machines::identity::check_name;
use crate::store::{Item, Note, StoreError};

/// Whether a list is asked for with the agents' status.
#[derive(Debug, Deserialize)]
pub(super) struct Bulk {
    bulk: Option<String>,
}

/// `GET /v2.6/agents`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    _named: Named,
    Query(Bulk { bulk }): Query<Bulk>,
) -> Result<Response, Refused> {
    let all = watches::all(&app).await?;
    if bulk.is_none() {
        let uuids = all.into_iter().map(|(_, item)| [item.name]).collect();
        return Ok(Success(WatchedIds { uuids }).into_response());
    }
    let status = |(watch, item): (Watch, Item)| (item.name, shown(&watch));
    let all: BTreeMap<String, AgentStatus> = all.into_iter().map(status).collect();
    Ok(Success(all).into_response())
}

/// `GET /v2.6/agents/{id}`
pub(super) async fn show(State(app): State<Arc<App>>, Named(agent): Named) -> Reply<AgentStatus> {
    let (watch, _) = watches::find(&app, &agent).await?.ok_or_else(unknown)?;
    Ok(Success(shown(&watch)))
}

fn shown(watch: &Watch) -> AgentStatus {
    let asks = watch.push.is_some() || watch.tpm_policy().is_ok_and(|policy| evidence::asks_for_ima(&policy));
    watch.status(asks && watch.policy.is_some())
}

/// `POST /v2.6/agents/{id}`
pub(super) async fn add(
    State(app): State<Arc<App>>,
    Named(agent): Named,
    Extension(client): Extension<ClientName>,
    Body(mut order): Body<AddAgent>,
) -> Reply<Nothing> {
    check_name("agent", &agent)?;
    let boot_policy = boot_policy(&app, &agent, &mut order).await?;
    let inline = order.runtime_policy.take().filter(|policy| !policy.is_empty());
    let named = order.runtime_policy_name.clone().filter(|name| !name.is_empty());
    let signers = order.ima_sign_verification_keys.clone().filter(|keys| !keys.is_empty());
    let policy = match (inline, named) {
        (Some(policy), named) => {
            let document = policies::decode(&policy, order.runtime_policy_key.as_deref())?;
            let name = named.unwrap_or_else(|| agent.clone());
            let is_empty = policies::is_empty(&document);
            RuntimeRules::read(&document, signers.as_deref()).map_err(bad)?;
            policies::keep(&app, &name, document).await?;
            (!is_empty || signers.is_some()).then_some(name)
        }
        (None, Some(name)) => {
            policies::find(&app, &name).await?;
            Some(name)
        }
        (None, None) => None,
    };
    let mut watch = Watch::new(order, policy);
    watch.boot_policy = boot_policy;
    evidence::asked(&watch.tpm_policy().map_err(bad)?).map_err(bad)?;
    let due_at = watch.first_due();
    let item = Item { name: agent.clone(), body: String::new(), version: 0, due_at: None };
    let line = note(&agent, "machine-added", &client);
    match app.store.put_item(WATCHED, watches::write(&watch, item, due_at)?, Some(line)).await {
        Err(StoreError::Changed(_)) => {
            Err(Refused::new(StatusCode::CONFLICT, format!("Agent of uuid {agent} already exists")))
        }
        written => Ok(written.map(|()| Success(Nothing))?),
    }
}

/// Keeps the reference state of an order, or finds the one that it names; returns its name if it asks for something.
async fn boot_policy(app: &App, agent: &str, order: &mut AddAgent) -> Result<Option<String>, Refused> {
    let inline = order.mb_policy.take().filter(|policy| !policy.trim().is_empty() && policy != "null");
    let named = order.mb_policy_name.clone().filter(|name| !name.is_empty());
    match (inline, named) {
        (Some(policy), named) => {
            let name = named.unwrap_or_else(|| agent.to_owned());
            check_name("policy", &name)?;
            let is_empty = boot::is_empty(&policy);
            boot_policies::keep(app, &name, policy).await?;
            Ok((!is_empty).then_some(name))
        }
        (None, Some(name)) => Ok(Some(boot_policies::find(app, &name).await?.name)),
        (None, None) => Ok(None),
    }
}

/// `DELETE /v2.6/agents/{id}`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Named(agent): Named,
    Extension(client): Extension<ClientName>,
) -> Reply<Nothing> {
    let line = note(&agent, "machine-removed", &client);
    if watches::remove(&app, &agent, line).await? { Ok(Success(Nothing)) } else { Err(unknown()) }
}

/// `PUT /v2.6/agents/{id}/reactivate`
pub(super) async fn reactivate(
    State(app): State<Arc<App>>,
    Named(agent): Named,
    Extension(client): Extension<ClientName>,
) -> Reply<Nothing> {
    let restart = |watch: &mut Watch| {
        watch.restart();
        watch.first_due()
    };
    change(&app, &agent, note(&agent, "machine-reactivated", &client), restart).await
}

/// `PUT /v2.6/agents/{id}/stop`
pub(super) async fn stop(
    State(app): State<Arc<App>>,
    Named(agent): Named,
    Extension(client): Extension<ClientName>,
) -> Reply<Nothing> {
    let stop = |watch: &mut Watch| {
        watch.state = OperationalState::TenantFailed;
        None
    };
    change(&app, &agent, note(&agent, "machine-stopped", &client), stop).await
}

/// Changes an order, and says when it is due; if a round ends meanwhile, the change comes after it.
async fn change(app: &App, agent: &str, line: Note, change: impl Fn(&mut Watch) -> Option<u64>) -> Reply<Nothing> {
    /// Rounds of one agent are seconds apart: a second one does not end in the moment of the next try.
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let (mut watch, item) = watches::find(app, agent).await?.ok_or_else(unknown)?;
        let due_at = change(&mut watch);
        let item = watches::write(&watch, item, due_at)?;
        match app.store.put_item(WATCHED, item, Some(line.clone())).await {
            Err(StoreError::Changed(_)) => {}
            written => return Ok(written.map(|()| Success(Nothing))?),
        }
    }
    Err(Refused::new(StatusCode::CONFLICT, "the agent changes too fast; try again"))
}

fn note(agent: &str, event: &'static str, ClientName(client): &ClientName) -> Note {
    let detail = format!("by {}", client.as_deref().unwrap_or("a client without name"));
    Note { at: now().0, machine: Some(agent.to_owned()), event, detail }
}

fn bad(message: String) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, message)
}

fn unknown() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "agent id not found")
}
