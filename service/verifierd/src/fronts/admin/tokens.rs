// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tokens for administrators and their programs.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use evtpm_api::{NewToken, TokenRequest, TokenSummary};

use crate::access::{Caller, Role, Roles, digest};
use crate::app::{App, now};
use crate::machines::identity::check_name;
use crate::random;
use crate::refusal::Refusal;
use crate::store::{Note, TokenRow};

/// `GET /v1/tokens`
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Vec<TokenSummary>>, Refusal> {
    caller.may(Role::Keys)?;
    let describe = |row: TokenRow| {
        let roles = row.roles.parse::<Roles>().map_err(Refusal::internal)?.names();
        Ok(TokenSummary { name: row.name, roles, created_at: row.created_at })
    };
    app.store.tokens().await?.into_iter().map(describe).collect::<Result<_, _>>().map(Json)
}

/// `POST /v1/tokens`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    body: Result<Json<TokenRequest>, JsonRejection>,
) -> Result<(StatusCode, Json<NewToken>), Refusal> {
    caller.may(Role::Keys)?;
    let Json(TokenRequest { name, roles }) = body?;
    check_name("token", &name)?;
    let roles: Roles = roles.join(",").parse().map_err(Refusal::bad_request)?;
    let token = random::name()?;
    let row = TokenRow {
        name: name.clone(),
        digest: digest(token.as_bytes()),
        roles: roles.to_string(),
        created_at: now().0,
    };
    let line = note("token-made", format!("by {}: {name} with {roles}", caller.name));
    app.store.add_token(row.clone(), line).await?;
    app.access.admit(&row).map_err(Refusal::internal)?;
    Ok((StatusCode::CREATED, Json(NewToken { name, roles: roles.names(), token })))
}

/// `DELETE /v1/tokens/{name}`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    caller: Caller,
) -> Result<StatusCode, Refusal> {
    caller.may(Role::Keys)?;
    let line = note("token-removed", format!("by {}: {name}", caller.name));
    if !app.store.remove_token(&name, line).await? {
        return Err(Refusal::unknown("unknown-token", format!("there is no token `{name}`")));
    }
    app.access.forget(&name);
    Ok(StatusCode::NO_CONTENT)
}

fn note(event: &'static str, detail: String) -> Note {
    Note { at: now().0, machine: None, event, detail }
}
