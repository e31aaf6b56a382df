// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The registrar's requests; those of version 3 are the same, but for where the agent's id stands.

use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::{Extension, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use evtpm_keylime::registrar::{
    Activation, AgentIds, NamedRegistration, RegisteredAgent, Registration, RegistrationBlob, ServerVersions,
};
use evtpm_keylime::{ApiVersion, Nothing};
use serde::Deserialize;

use super::reply::{Body, Refused, Reply, Success};
use crate::app::App;
use crate::keylime::{registrations, watches};
use crate::listener::ClientName;

/// The name in a path, and that the path's version is one of those with pull in them.
#[derive(Debug)]
pub(super) struct Named(pub(super) String);

/// The name in a path, and that the path's version is one of all that are spoken here.
#[derive(Debug)]
pub(super) struct AnyVersion(String);

#[derive(Debug, Deserialize)]
struct InPath {
    version: String,
    #[serde(alias = "id", default)]
    name: String,
}

impl FromRequestParts<Arc<App>> for Named {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Refused> {
        name_in_path(parts, |version| ApiVersion::PULL.contains(&version)).await.map(Named)
    }
}

impl FromRequestParts<Arc<App>> for AnyVersion {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Refused> {
        let is_spoken = |version| version == ApiVersion::PUSH || ApiVersion::PULL.contains(&version);
        name_in_path(parts, is_spoken).await.map(AnyVersion)
    }
}

async fn name_in_path(parts: &mut Parts, is_spoken: impl Fn(ApiVersion) -> bool) -> Result<String, Refused> {
    let path = parts.extract::<Path<InPath>>().await;
    let Path(InPath { version, name }) =
        path.map_err(|error| Refused::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    if version.starts_with('v') && version.parse().is_ok_and(is_spoken) {
        return Ok(name);
    }
    Err(Refused::new(StatusCode::BAD_REQUEST, format!("API version `{version}` is not supported")))
}

/// `GET /version`: the current one is the last with pull in it, as in Keylime.
pub(super) async fn version() -> Success<ServerVersions> {
    let supported_versions = ApiVersion::PULL.into_iter().chain([ApiVersion::PUSH]).collect();
    let [.., current_version] = ApiVersion::PULL;
    Success(ServerVersions { current_version, supported_versions })
}

/// `POST /v3.0/agents`
pub(super) async fn register_by_body(
    State(app): State<Arc<App>>,
    AnyVersion(_): AnyVersion,
    Body(NamedRegistration { agent_id, registration }): Body<NamedRegistration>,
) -> Reply<RegistrationBlob> {
    Ok(Success(registrations::begin(&app, &agent_id, registration).await?))
}

/// `POST /v2.6/agents/{id}`
pub(super) async fn register(
    State(app): State<Arc<App>>,
    AnyVersion(agent): AnyVersion,
    Body(registration): Body<Registration>,
) -> Reply<RegistrationBlob> {
    Ok(Success(registrations::begin(&app, &agent, registration).await?))
}

/// `PUT /v2.6/agents/{id}`
pub(super) async fn activate(
    State(app): State<Arc<App>>,
    AnyVersion(agent): AnyVersion,
    Body(Activation { auth_tag }): Body<Activation>,
) -> Reply<Nothing> {
    let registered = registrations::prove(&app, &agent, &auth_tag).await?;
    // A reboot needs no hand: the order goes on with the key that the same TPM, or the same launch's next e-vTPM, has now.
    if let Some((mut watch, item)) = watches::find(&app, &agent).await? {
        watch.follow(&registered);
        let item = watches::write(&watch, item, watch.first_due())?;
        app.store.put_item(watches::WATCHED, item, None).await?;
    }
    Ok(Success(Nothing))
}

/// `GET /v2.6/agents`
pub(super) async fn list(State(app): State<Arc<App>>, _any: AnyVersion) -> Reply<AgentIds> {
    Ok(Success(AgentIds { uuids: registrations::list(&app).await? }))
}

/// `GET /v2.6/agents/{id}`
pub(super) async fn show(State(app): State<Arc<App>>, AnyVersion(agent): AnyVersion) -> Reply<RegisteredAgent> {
    registrations::active(&app, &agent).await?.map(Success).ok_or_else(|| unknown(&agent))
}

/// `DELETE /v2.6/agents/{id}`
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    AnyVersion(agent): AnyVersion,
    Extension(client): Extension<ClientName>,
) -> Reply<Nothing> {
    let by = client.0.unwrap_or_default();
    if registrations::remove(&app, &agent, &by).await? { Ok(Success(Nothing)) } else { Err(unknown(&agent)) }
}

fn unknown(agent: &str) -> Refused {
    Refused::new(StatusCode::NOT_FOUND, format!("Agent with ID '{agent}' not found"))
}
