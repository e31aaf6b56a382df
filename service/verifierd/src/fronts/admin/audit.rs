// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The audit log, and whether its chain holds.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use evtpm_api::{AuditLine, ChainHead};
use serde::Deserialize;

use crate::access::{Caller, Role};
use crate::app::App;
use crate::audit;
use crate::hex::hex;
use crate::refusal::Refusal;
use crate::store::AuditEntry;

/// The most lines of one answer.
const MOST: u32 = 10_000;

/// Which part of the log is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Part {
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
}

/// `GET /v1/audit`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Query(part): Query<Part>,
    caller: Caller,
) -> Result<Json<Vec<AuditLine>>, Refusal> {
    caller.may(Role::Read)?;
    let entries = app.store.audit(part.after, part.limit.unwrap_or(MOST).min(MOST)).await?;
    Ok(Json(entries.into_iter().map(line).collect()))
}

/// Which part of the log's end is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct End {
    before: Option<u64>,
    machine: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/audit/newest`
pub(super) async fn newest(
    State(app): State<Arc<App>>,
    Query(End { before, machine, limit }): Query<End>,
    caller: Caller,
) -> Result<Json<Vec<AuditLine>>, Refusal> {
    caller.may(Role::Read)?;
    let entries = app.store.audit_newest(before, machine.as_deref(), limit.unwrap_or(MOST).min(MOST)).await?;
    Ok(Json(entries.into_iter().map(line).collect()))
}

fn line(entry: AuditEntry) -> AuditLine {
    AuditLine {
        id: entry.id,
        at: entry.at,
        machine: entry.machine,
        event: entry.event,
        detail: entry.detail,
        hash: hex(&entry.hash),
    }
}

/// `GET /v1/audit/head`
pub(super) async fn head(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<ChainHead>, Refusal> {
    caller.may(Role::Read)?;
    let (chain, broken) = audit::walk(app.store.as_ref()).await?;
    let broken = broken.map(|broken| broken.to_string());
    Ok(Json(ChainHead { lines: chain.lines, head: hex(&chain.head), broken }))
}
