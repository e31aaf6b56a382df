// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `/v3.0/agents/{id}/attestations`: what agents show, and what came of it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use evtpm_keylime::push::{
    AttestationState, Capabilities, CollectedEvidence, Collection, Document, JsonApi, Links, Meta, Negotiated, Resource,
};
use serde::Deserialize;

use super::caller::{Agent, Reader};
use super::reply::{Attributes, Kind, Said};
use crate::app::App;
use crate::keylime::push::{self, Attestation, Turned, rfc3339};

/// The resource's type.
const ATTESTATION: &str = "attestation";

impl Kind for Capabilities {
    const KIND: &'static str = ATTESTATION;
}

impl Kind for CollectedEvidence {
    const KIND: &'static str = ATTESTATION;
}

/// `POST /v3.0/agents/{id}/attestations`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Agent { watch, item }: Agent,
    Attributes(capabilities): Attributes<Capabilities>,
) -> Result<Response, Turned> {
    let agent = item.name.clone();
    let attestation = push::create(&app, (watch, item), capabilities).await?;
    let Attestation { index, received_at, expires_at, system_info, evidence, .. } = attestation;
    let negotiated = Negotiated {
        stage: "awaiting_evidence".to_owned(),
        evidence_requested: evidence.iter().map(evtpm_keylime::push::EvidenceState::requested).collect(),
        system_info,
        capabilities_received_at: rfc3339(received_at),
        challenges_expire_at: rfc3339(expires_at),
    };
    let location = path(&agent, index);
    let document = document(negotiated, &location);
    Ok(([(LOCATION, location)], Said(StatusCode::CREATED, document)).into_response())
}

/// The number in a path, or the word for the last.
#[derive(Debug, Deserialize)]
pub(super) struct IndexInPath {
    index: String,
}

impl IndexInPath {
    fn index(&self) -> Result<Option<u64>, Turned> {
        if self.index == "latest" {
            return Ok(None);
        }
        let number = self.index.parse();
        number.map(Some).map_err(|_| Turned::not_found(format!("`{}` is no attestation's number", self.index)))
    }
}

/// `PATCH /v3.0/agents/{id}/attestations/{index}`
pub(super) async fn submit(
    State(app): State<Arc<App>>,
    Agent { watch, item }: Agent,
    Path(index): Path<IndexInPath>,
    Attributes(collected): Attributes<CollectedEvidence>,
) -> Result<Said<Document<AttestationState>>, Turned> {
    let agent = item.name.clone();
    let (attestation, seconds_to_next_attestation) =
        push::submit(&app, (watch, item), index.index()?, collected).await?;
    let mut document = document(attestation.acknowledgement(), &path(&agent, attestation.index));
    document.meta = Some(Meta { seconds_to_next_attestation });
    Ok(Said(StatusCode::ACCEPTED, document))
}

/// `GET /v3.0/agents/{id}/attestations/{index}`
pub(super) async fn show(
    Reader { watch, agent }: Reader,
    Path(index): Path<IndexInPath>,
) -> Result<Said<Document<AttestationState>>, Turned> {
    let kept = watch.push.as_ref().map(push::Push::attestations).unwrap_or_default();
    let found = match index.index()? {
        Some(index) => kept.iter().find(|attestation| attestation.index == index),
        None => kept.last(),
    };
    let attestation = found
        .ok_or_else(|| Turned::not_found(format!("No attestation {} exists for agent '{agent}'.", index.index)))?;
    Ok(Said(StatusCode::OK, document(attestation.state(), &path(&agent, attestation.index))))
}

/// `GET /v3.0/agents/{id}/attestations`
pub(super) async fn list(Reader { watch, agent }: Reader) -> Said<Collection<AttestationState>> {
    let kept = watch.push.as_ref().map(push::Push::attestations).unwrap_or_default();
    let data = kept.iter().map(|attestation| resource(attestation.state(), &path(&agent, attestation.index))).collect();
    let links = Links { this: format!("/v3.0/agents/{agent}/attestations") };
    Said(StatusCode::OK, Collection { data, links, jsonapi: JsonApi::default() })
}

fn path(agent: &str, index: u64) -> String {
    format!("/v3.0/agents/{agent}/attestations/{index}")
}

fn resource<A>(attributes: A, path: &str) -> Resource<A> {
    Resource { kind: ATTESTATION.to_owned(), id: None, attributes, links: Some(Links { this: path.to_owned() }) }
}

fn document<A>(attributes: A, path: &str) -> Document<A> {
    let mut document = Document::new(ATTESTATION, attributes);
    document.data.links = Some(Links { this: path.to_owned() });
    document
}
