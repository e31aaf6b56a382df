// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who asks: an agent by its session's token, for itself alone; a tenant by its certificate.

use std::sync::Arc;

use axum::RequestPartsExt as _;
use axum::extract::{FromRequestParts, Path};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use evtpm_keylime::ApiVersion;
use serde::Deserialize;

use crate::app::App;
use crate::keylime::push::Turned;
use crate::keylime::watches::{self, Watch};
use crate::listener::ClientName;
use crate::store::Item;

/// That the path's version is the one that is spoken here.
#[derive(Debug)]
pub(super) struct Version;

#[derive(Debug, Deserialize)]
struct VersionInPath {
    version: String,
}

impl FromRequestParts<Arc<App>> for Version {
    type Rejection = Turned;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Turned> {
        let Path(VersionInPath { version }) = parts.extract().await.map_err(bad_path)?;
        if version.starts_with('v') && version.parse() == Ok(ApiVersion::PUSH) {
            return Ok(Version);
        }
        Err(Turned::not_found(format!("API version `{version}` has no such resource")))
    }
}

#[derive(Debug, Deserialize)]
struct AgentInPath {
    id: String,
}

/// An agent that shows the token of its session.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) watch: Watch,
    pub(super) item: Item,
}

impl FromRequestParts<Arc<App>> for Agent {
    type Rejection = Turned;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Turned> {
        let Version = Version::from_request_parts(parts, app).await?;
        let Path(AgentInPath { id }) = parts.extract().await.map_err(bad_path)?;
        let given = parts.headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        let found = match given {
            Some(token) => watches::find(app, &id)
                .await?
                .filter(|(watch, _)| watch.push.as_ref().is_some_and(|push| push.admits(token))),
            None => None,
        };
        // Who has no session of this agent does not learn whether there is such an agent.
        let detail = "a session's token is needed: Authorization: Bearer TOKEN";
        let (watch, item) = found.ok_or_else(|| Turned::new(401, "unauthorized", detail))?;
        Ok(Agent { watch, item })
    }
}

/// Whoever may look at an agent's attestations: the agent itself, or a tenant.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) watch: Watch,
    pub(super) agent: String,
}

impl FromRequestParts<Arc<App>> for Reader {
    type Rejection = Turned;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Turned> {
        if !matches!(parts.extensions.get(), Some(ClientName(Some(_)))) {
            let Agent { watch, item } = Agent::from_request_parts(parts, app).await?;
            return Ok(Reader { watch, agent: item.name });
        }
        let Version = Version::from_request_parts(parts, app).await?;
        let Path(AgentInPath { id }) = parts.extract().await.map_err(bad_path)?;
        let found = watches::find(app, &id).await?;
        let (watch, item) = found.ok_or_else(|| Turned::not_found(format!("No enrolled agent with ID '{id}'.")))?;
        Ok(Reader { watch, agent: item.name })
    }
}

pub(super) fn bad_path(rejection: axum::extract::rejection::PathRejection) -> Turned {
    Turned::new(400, "bad_request", rejection.body_text())
}
