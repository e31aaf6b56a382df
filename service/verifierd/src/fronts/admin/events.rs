// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens, as it happens: server-sent events, and counters.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::response::sse::{self, KeepAlive, Sse};
use evtpm_api::MachineState;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::error::RecvError;

use crate::access::{Caller, Role};
use crate::app::{App, now};
use crate::machines::state;
use crate::refusal::Refusal;

/// `GET /v1/events`
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Refusal> {
    caller.may(Role::Read)?;
    let events = stream::unfold(app.events.listen(), |mut events| async {
        let told = match events.recv().await {
            Ok(event) => sse::Event::default().event(event.event.clone()).json_data(event).ok()?,
            // Whoever is too slow hears that, and can read the audit log.
            Err(RecvError::Lagged(missed)) => sse::Event::default().event("missed").data(missed.to_string()),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(told), events))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<Arc<App>>, caller: Caller) -> Result<impl IntoResponse, Refusal> {
    caller.may(Role::Read)?;
    let now = now().0;
    let states = [
        MachineState::Unknown,
        MachineState::Healthy,
        MachineState::Failed,
        MachineState::Stale,
        MachineState::Unreachable,
    ];
    let mut machines = states.map(|state| (state, 0_usize));
    for row in app.store.machines(None).await? {
        let is = state(row.standing.as_ref(), now, app.settings.stale_after);
        machines.iter_mut().filter(|(state, _)| *state == is).for_each(|(_, count)| *count += 1);
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], app.metrics.show(&machines)))
}
