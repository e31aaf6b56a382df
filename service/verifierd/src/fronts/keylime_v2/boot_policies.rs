// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measured boot reference states under names.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use evtpm_keylime::Nothing;
use evtpm_keylime::verifier::{BootPolicyNames, BootPolicyRequest, NamedBootPolicy};
use serde::de::IgnoredAny;

use super::registrar::Named;
use super::reply::{Body, Created, Refused, Reply, Success};
use crate::app::App;
use crate::keylime::watches::{self, BOOT_POLICY};
use crate::machines::identity::check_name;
use crate::store::Item;

/// `GET /v2.6/mbpolicies`
pub(super) async fn list(State(app): State<Arc<App>>, _named: Named) -> Reply<BootPolicyNames> {
    let names = app.store.items(BOOT_POLICY).await?.into_iter().map(|item| item.name).collect();
    Ok(Success(BootPolicyNames { names }))
}

/// `GET /v2.6/mbpolicies/{name}`
pub(super) async fn show(State(app): State<Arc<App>>, Named(name): Named) -> Reply<NamedBootPolicy> {
    let item = find(&app, &name).await?;
    Ok(Success(NamedBootPolicy { name, mb_policy: item.body }))
}

/// `POST /v2.6/mbpolicies/{name}`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Named(name): Named,
    Body(BootPolicyRequest { mb_policy }): Body<BootPolicyRequest>,
) -> Result<Created, Refused> {
    check_name("policy", &name)?;
    if app.store.item(BOOT_POLICY, &name).await?.is_some() {
        let message = format!("Measured boot policy with name {name} already exists");
        return Err(Refused::new(StatusCode::CONFLICT, message));
    }
    keep(&app, &name, mb_policy).await?;
    Ok(Created)
}

/// `PUT /v2.6/mbpolicies/{name}`
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Named(name): Named,
    Body(BootPolicyRequest { mb_policy }): Body<BootPolicyRequest>,
) -> Result<Created, Refused> {
    find(&app, &name).await?;
    keep(&app, &name, mb_policy).await?;
    Ok(Created)
}

/// `DELETE /v2.6/mbpolicies/{name}`
pub(super) async fn remove(State(app): State<Arc<App>>, Named(name): Named) -> Reply<Nothing> {
    find(&app, &name).await?;
    if watches::all(&app).await?.iter().any(|(watch, _)| watch.boot_policy.as_deref() == Some(&name)) {
        let message = format!("Can't delete mb_policy {name} as it's currently in use by an agent");
        return Err(Refused::new(StatusCode::CONFLICT, message));
    }
    app.store.remove_item(BOOT_POLICY, &name, None).await?;
    Ok(Success(Nothing))
}

/// Finds a reference state.
pub(super) async fn find(app: &App, name: &str) -> Result<Item, Refused> {
    let found = app.store.item(BOOT_POLICY, name).await?;
    found.ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, format!("Measured boot policy {name} not found")))
}

/// Writes a reference state, over the one of its name if there is one.
pub(super) async fn keep(app: &App, name: &str, document: String) -> Result<(), Refused> {
    serde_json::from_str::<IgnoredAny>(&document)
        .map_err(|error| format!("mb_policy: {error}"))
        .and_then(|_| app.keylime.boot.read(&document).map(drop))
        .map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error))?;
    let version = app.store.item(BOOT_POLICY, name).await?.map_or(0, |item| item.version);
    let item = Item { name: name.to_owned(), body: document, version, due_at: None };
    Ok(app.store.put_item(BOOT_POLICY, item, None).await?)
}
