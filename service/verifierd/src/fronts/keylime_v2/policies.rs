// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runtime policies under names.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_keylime::Nothing;
use evtpm_keylime::verifier::{NamedRuntimePolicy, RuntimePolicy, RuntimePolicyNames, RuntimePolicyRequest};

use super::registrar::Named;
use super::reply::{Body, Created, Refused, Reply, Success};
use crate::app::App;
use crate::keylime::dsse;
use crate::keylime::rules::RuntimeRules;
use crate::keylime::watches::{self, POLICY};
use crate::machines::identity::check_name;
use crate::store::Item;

/// `GET /v2.6/allowlists`
pub(super) async fn list(State(app): State<Arc<App>>, _named: Named) -> Reply<RuntimePolicyNames> {
    let names = app.store.items(POLICY).await?.into_iter().map(|item| item.name).collect();
    Ok(Success(RuntimePolicyNames { names }))
}

/// `GET /v2.6/allowlists/{name}`
pub(super) async fn show(State(app): State<Arc<App>>, Named(name): Named) -> Reply<NamedRuntimePolicy> {
    let item = find(&app, &name).await?;
    Ok(Success(NamedRuntimePolicy { name, tpm_policy: None, runtime_policy: item.body }))
}

/// `POST /v2.6/allowlists/{name}`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Named(name): Named,
    Body(request): Body<RuntimePolicyRequest>,
) -> Result<Created, Refused> {
    let document = read(&request)?;
    check_name("policy", &name)?;
    if app.store.item(POLICY, &name).await?.is_some() {
        return Err(Refused::new(StatusCode::CONFLICT, format!("Runtime policy with name {name} already exists")));
    }
    keep(&app, &name, document).await?;
    Ok(Created)
}

/// `PUT /v2.6/allowlists/{name}`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Named(name): Named,
    Body(request): Body<RuntimePolicyRequest>,
) -> Result<Created, Refused> {
    let document = read(&request)?;
    find(&app, &name).await?;
    keep(&app, &name, document).await?;
    Ok(Created)
}

/// `DELETE /v2.6/allowlists/{name}`
pub(super) async fn remove(State(app): State<Arc<App>>, Named(name): Named) -> Reply<Nothing> {
    find(&app, &name).await?;
    let is_used = watches::all(&app).await?.iter().any(|(watch, _)| watch.policy.as_deref() == Some(&name));
    if is_used {
        let message = format!("Can't delete runtime policy {name} as it's currently in use by an agent");
        return Err(Refused::new(StatusCode::CONFLICT, message));
    }
    app.store.remove_item(POLICY, &name, None).await?;
    Ok(Success(Nothing))
}

/// Finds a policy.
pub(super) async fn find(app: &App, name: &str) -> Result<Item, Refused> {
    let found = app.store.item(POLICY, name).await?;
    found.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, format!("Runtime policy {name} not found")))
}

/// Writes a policy, over the one of its name if there is one.
pub(super) async fn keep(app: &App, name: &str, document: String) -> Result<(), Refused> {
    let version = app.store.item(POLICY, name).await?.map_or(0, |item| item.version);
    Ok(app.store.put_item(POLICY, Item { name: name.to_owned(), body: document, version, due_at: None }, None).await?)
}

fn read(request: &RuntimePolicyRequest) -> Result<String, Refused> {
    let document = decode(&request.runtime_policy, request.runtime_policy_key.as_deref())?;
    RuntimeRules::read(&document, None).map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error))?;
    Ok(document)
}

/// Reads the base64 in which policies travel, and takes a signed one out of its envelope; `key` is base64 of PEM.
pub(super) fn decode(policy: &str, key: Option<&str>) -> Result<String, Refused> {
    let bad =
        |what: &str, error: &dyn std::fmt::Display| Refused::new(StatusCode::BAD_REQUEST, format!("{what}: {error}"));
    let document = STANDARD.decode(policy).map_err(|error| bad("runtime_policy", &error))?;
    let document = String::from_utf8(document).map_err(|error| bad("runtime_policy", &error))?;
    let key = key.filter(|key| !key.is_empty()).map(|key| STANDARD.decode(key)).transpose();
    let key = key.map_err(|error| bad("runtime_policy_key", &error))?;
    dsse::open(document, key.as_deref()).map_err(|error| Refused::new(StatusCode::UNAUTHORIZED, error))
}

/// Tells whether a document asks for nothing: tenants send such ones where they were given none.
pub(super) fn is_empty(document: &str) -> bool {
    let document = document.trim();
    document.is_empty()
        || document == "null"
        || serde_json::from_str::<RuntimePolicy>(document).is_ok_and(|policy| {
            policy.digests.is_empty()
                && policy.keyrings.is_empty()
                && policy.verification_keys.unwrap_or_default().is_empty()
        })
}
