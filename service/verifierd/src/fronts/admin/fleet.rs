// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The fleet a page at a time: filtered, searched and sorted here, so that ten thousand machines are as quick as ten.

use std::cmp::Ordering;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use evtpm_api::{FleetPage, FleetStates, MachineState, MachineSummary};
use serde::Deserialize;

use crate::access::{Caller, Role};
use crate::app::{App, now};
use crate::keylime::summaries;
use crate::machines::{state, summary};
use crate::refusal::Refusal;
use crate::store::MachineRow;

/// The most machines of one answer.
const MOST: usize = 500;

/// Which part of the fleet is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Part {
    /// A part of a name, a measurement, a policy or a reason.
    #[serde(default)]
    search: String,
    state: Option<MachineState>,
    #[serde(default)]
    sort: Sort,
    /// Not 0: from the end.
    #[serde(default)]
    descending: u8,
    #[serde(default)]
    offset: usize,
    limit: Option<usize>,
}

/// What machines are sorted by; those that are equal by it, by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sort {
    #[default]
    Machine,
    State,
    Measurement,
    Platform,
    Evidence,
    Policy,
}

/// `GET /v1/fleet`
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Query(part): Query<Part>,
    caller: Caller,
) -> Result<Json<FleetPage>, Refusal> {
    caller.may(Role::Read)?;
    let now = now().0;
    let native = app.store.machines(None).await?.into_iter().map(|row| {
        let is = state(row.standing.as_ref(), now, app.settings.stale_after);
        Entry { state: is, machine: Machine::Native(row) }
    });
    let keylime = summaries::all(&app).await?.into_iter();
    let keylime = keylime.map(|agent| Entry { state: agent.state, machine: Machine::Keylime(agent) });
    let mut states = FleetStates::default();
    let mut found = Vec::new();
    let search = part.search.to_lowercase();
    for entry in native.chain(keylime) {
        count(&mut states, entry.state);
        if part.state.is_none_or(|wanted| wanted == entry.state) && entry.matches(&search) {
            found.push(entry);
        }
    }
    found.sort_by(|a, b| if part.descending == 0 { order(part.sort, a, b) } else { order(part.sort, b, a) });
    let matching = u64::try_from(found.len()).unwrap_or(u64::MAX);
    let limit = part.limit.unwrap_or(MOST).min(MOST);
    let page = found.into_iter().skip(part.offset).take(limit);
    let machines = page.map(|entry| match entry.machine {
        Machine::Native(row) => summary(&app, row, now),
        Machine::Keylime(agent) => agent,
    });
    let machines = machines.collect();
    Ok(Json(FleetPage { states, matching, machines }))
}

fn count(states: &mut FleetStates, is: MachineState) {
    let of_state = match is {
        MachineState::Healthy => &mut states.healthy,
        MachineState::Failed => &mut states.failed,
        MachineState::Stale => &mut states.stale,
        MachineState::Unreachable => &mut states.unreachable,
        MachineState::Unknown => &mut states.unknown,
    };
    *of_state = of_state.saturating_add(1);
    states.all = states.all.saturating_add(1);
}

/// A machine with its state; what is shown of it is read for those on the page alone.
struct Entry {
    state: MachineState,
    machine: Machine,
}

enum Machine {
    Native(MachineRow),
    Keylime(MachineSummary),
}

impl Entry {
    fn name(&self) -> &str {
        match &self.machine {
            Machine::Native(row) => &row.name,
            Machine::Keylime(agent) => &agent.machine,
        }
    }

    fn policy(&self) -> Option<&str> {
        match &self.machine {
            Machine::Native(row) => row.policy.as_deref(),
            Machine::Keylime(agent) => agent.policy.as_deref(),
        }
    }

    fn measurement(&self) -> Option<&str> {
        match &self.machine {
            Machine::Native(row) => row.measurement.as_deref(),
            Machine::Keylime(agent) => agent.measurement.as_deref(),
        }
    }

    fn platform(&self) -> Option<&str> {
        match &self.machine {
            Machine::Native(row) => row.platform.as_deref(),
            Machine::Keylime(_) => None,
        }
    }

    fn evidence_at(&self) -> Option<u64> {
        match &self.machine {
            Machine::Native(row) => row.standing.as_ref().map(|standing| standing.at),
            Machine::Keylime(agent) => agent.last_verdict_at,
        }
    }

    /// `search` is in lower case.
    fn matches(&self, search: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(search);
        let has_reason = || match &self.machine {
            Machine::Native(row) => row.standing.as_ref().is_some_and(|standing| has(&standing.findings)),
            Machine::Keylime(agent) => agent.findings.iter().any(|finding| has(&finding.message)),
        };
        search.is_empty()
            || has(self.name())
            || self.measurement().is_some_and(has)
            || self.policy().is_some_and(has)
            || has_reason()
    }
}

fn order(sort: Sort, one: &Entry, other: &Entry) -> Ordering {
    let first = match sort {
        Sort::Machine => Ordering::Equal,
        Sort::State => severity(one.state).cmp(&severity(other.state)),
        Sort::Measurement => one.measurement().cmp(&other.measurement()),
        Sort::Platform => one.platform().cmp(&other.platform()),
        Sort::Evidence => one.evidence_at().cmp(&other.evidence_at()),
        Sort::Policy => one.policy().cmp(&other.policy()),
    };
    first.then_with(|| one.name().cmp(other.name()))
}

/// What needs a person first stands first.
const fn severity(state: MachineState) -> u8 {
    match state {
        MachineState::Failed => 0,
        MachineState::Unreachable => 1,
        MachineState::Stale => 2,
        MachineState::Unknown => 3,
        MachineState::Healthy => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, state: MachineState) -> Entry {
        let row = MachineRow {
            name: name.into(),
            measurement: Some("00ff".into()),
            policy: Some("strict".into()),
            clone_alarm: false,
            boots: 1,
            profile: None,
            platform: None,
            standing: None,
        };
        Entry { state, machine: Machine::Native(row) }
    }

    #[test]
    fn a_search_looks_at_name_measurement_and_policy_whatever_the_case() {
        let entry = entry("Web-7", MachineState::Healthy);
        for search in ["web", "0ff", "stri", ""] {
            assert!(entry.matches(search), "{search}");
        }
        assert!(!entry.matches("other"));
    }

    #[test]
    fn what_failed_stands_first_and_equals_go_by_name() {
        let states = [("b", MachineState::Healthy), ("c", MachineState::Failed), ("a", MachineState::Healthy)];
        let mut found = states.map(|(name, state)| entry(name, state));
        found.sort_by(|one, other| order(Sort::State, one, other));
        assert_eq!(found.each_ref().map(Entry::name), ["c", "a", "b"]);
    }
}
