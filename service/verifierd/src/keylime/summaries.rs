// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's agents in the words of the native API, so that operators see one list of machines.

use std::collections::BTreeMap;

use evtpm_api::{ApiFinding, MachineDetails, MachineState, MachineSummary};
use evtpm_keylime::verifier::OperationalState;

use super::registrations;
use super::watches::{self, Watch};
use crate::app::{App, now};
use crate::refusal::Refusal;

/// Lists all agents that are registered or watched.
pub(crate) async fn all(app: &App) -> Result<Vec<MachineSummary>, Refusal> {
    let stale_after = app.settings.stale_after;
    let watched = watches::all(app).await?.into_iter().map(|(watch, item)| (item.name, watch));
    let mut watched: BTreeMap<String, Watch> = watched.collect();
    let registered = registrations::all(app).await?.into_iter();
    let mut agents: Vec<MachineSummary> = registered
        .map(|agent| summary(&agent.agent_id, agent.regcount, watched.remove(&agent.agent_id).as_ref(), stale_after))
        .collect();
    agents.extend(watched.iter().map(|(name, watch)| summary(name, 0, Some(watch), stale_after)));
    Ok(agents)
}

/// Finds one of them.
pub(crate) async fn find(app: &App, name: &str) -> Result<Option<MachineDetails>, Refusal> {
    let (agent, watch) = (registrations::active(app, name).await?, watches::find(app, name).await?);
    let watch = watch.map(|(watch, _)| watch);
    if agent.is_none() && watch.is_none() {
        return Ok(None);
    }
    let registrations = agent.as_ref().map_or(0, |agent| agent.regcount);
    let machine = summary(name, registrations, watch.as_ref(), app.settings.stale_after);
    // Of registrations only the last one is kept, and not when it was.
    Ok(Some(MachineDetails { machine, history: Vec::new() }))
}

fn summary(name: &str, boots: u64, watch: Option<&Watch>, stale_after: u64) -> MachineSummary {
    let state = watch.map_or(MachineState::Unknown, |watch| state(watch, stale_after));
    let last_verdict = match watch.map(|watch| watch.state) {
        Some(OperationalState::InvalidQuote | OperationalState::Failed) => Some("untrusted"),
        _ if watch.is_some_and(|watch| watch.attestation_count > 0) => Some("trusted"),
        _ => None,
    };
    let at = |time: fn(&Watch) -> u64| watch.map(time).filter(|at| *at > 0);
    let finding = |event: String| ApiFinding {
        check: event.clone(),
        layer: String::new(),
        severity: "failure".into(),
        message: format!("{event}: the audit log says more"),
        expected: String::new(),
        actual: String::new(),
        suggestion: String::new(),
    };
    MachineSummary {
        machine: name.to_owned(),
        protocol: Some("keylime".to_owned()),
        state,
        boots,
        identity: None,
        measurement: None,
        platform: None,
        policy: watch.and_then(|watch| watch.policy.clone()),
        last_verdict: last_verdict.map(str::to_owned),
        last_verdict_at: at(|watch| watch.last_received_quote),
        last_trusted_at: at(|watch| watch.last_successful_attestation),
        clone_alarm: false,
        findings: watch.and_then(|watch| watch.last_event_id.clone()).map(finding).into_iter().collect(),
    }
}

fn state(watch: &Watch, stale_after: u64) -> MachineState {
    use OperationalState::{Failed, GetQuote, GetQuoteRetry, InvalidQuote, ProvideV, ProvideVRetry};
    let is_old = now().0.saturating_sub(watch.last_successful_attestation) > stale_after;
    match watch.state {
        Failed | InvalidQuote => MachineState::Failed,
        GetQuoteRetry | ProvideVRetry => MachineState::Unreachable,
        GetQuote | ProvideV if is_old => MachineState::Stale,
        GetQuote | ProvideV => MachineState::Healthy,
        // Not judged yet, or not any more: an operator stopped it.
        _ => MachineState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use evtpm_keylime::verifier::AddAgent;

    use super::*;
    use crate::app::testing::TestApp;
    use crate::store::{Item, Note};

    #[test]
    fn a_state_of_keylime_is_one_of_ours() {
        let mut watch = Watch::new(AddAgent::default(), Some("p".into()));
        let mut shown = |state, attested_at| {
            (watch.state, watch.last_successful_attestation) = (state, attested_at);
            summary("a", 1, Some(&watch), 300).state
        };
        assert_eq!(shown(OperationalState::Start, 0), MachineState::Unknown);
        assert_eq!(shown(OperationalState::GetQuote, now().0), MachineState::Healthy);
        assert_eq!(shown(OperationalState::GetQuote, 1), MachineState::Stale);
        assert_eq!(shown(OperationalState::GetQuoteRetry, now().0), MachineState::Unreachable);
        assert_eq!(shown(OperationalState::InvalidQuote, now().0), MachineState::Failed);
        assert_eq!(shown(OperationalState::TenantFailed, now().0), MachineState::Unknown);
    }

    #[tokio::test]
    async fn an_agent_is_listed_shown_and_forgotten_like_a_machine() {
        let app = TestApp::new("keylime-summaries");
        let watch = Watch::new(AddAgent::default(), Some("p".into()));
        let item = Item { name: "a".into(), body: String::new(), version: 0, due_at: None };
        app.store.put_item(watches::WATCHED, watches::write(&watch, item, None).unwrap(), None).await.unwrap();
        let names = |all: Vec<MachineSummary>| all.into_iter().map(|machine| machine.machine).collect::<Vec<_>>();
        assert_eq!(names(all(&app).await.unwrap()), ["a"]);
        assert_eq!(find(&app, "a").await.unwrap().unwrap().machine.policy.as_deref(), Some("p"));
        assert_eq!(find(&app, "b").await.unwrap(), None);
        let line = || Note { at: 1, machine: Some("a".into()), event: "machine-removed", detail: String::new() };
        assert!(watches::remove(&app, "a", line()).await.unwrap());
        assert!(!watches::remove(&app, "a", line()).await.unwrap());
        assert_eq!(names(all(&app).await.unwrap()), [""; 0]);
    }

    #[test]
    fn an_agent_that_nobody_watches_is_there_and_unknown() {
        let agent = summary("a", 3, None, 300);
        assert_eq!((agent.state, agent.boots, agent.last_verdict), (MachineState::Unknown, 3, None));
        assert_eq!(agent.protocol.as_deref(), Some("keylime"));
    }
}
