// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Unreachable, untrusted, unknown and stale are four different states" (rule 13).

use evtpm_api::{ApiFinding, MachineState, MachineSummary};

use crate::app::App;
use crate::inspect::with_floors;
use crate::store::{MachineRow, Standing};

/// Seconds without a verdict after which a trusted machine is stale, where the operator says nothing else.
pub(crate) const STALE_AFTER: u64 = 300;

/// Says in which state a boot is at `now`. Trust runs out after `stale_after` seconds; distrust and silence do not turn into
/// anything else.
pub(crate) fn state(standing: Option<&Standing>, now: u64, stale_after: u64) -> MachineState {
    let Some(standing) = standing else { return MachineState::Unknown };
    match standing.verdict.as_str() {
        "trusted" if now.saturating_sub(standing.at) > stale_after => MachineState::Stale,
        "trusted" => MachineState::Healthy,
        "untrusted" => MachineState::Failed,
        "unreachable" => MachineState::Unreachable,
        "stale" => MachineState::Stale,
        _ => MachineState::Unknown,
    }
}

/// Puts a machine into the words of the API.
pub(crate) fn summary(app: &App, row: MachineRow, now: u64) -> MachineSummary {
    let findings: Option<Vec<ApiFinding>> =
        row.standing.as_ref().and_then(|standing| serde_json::from_str(&standing.findings).ok());
    let platform = row.platform.as_deref().and_then(|platform| serde_json::from_str(platform).ok());
    let policy = app.policies.of(&row.name);
    MachineSummary {
        state: state(row.standing.as_ref(), now, app.settings.stale_after),
        platform: match policy {
            Some(policy) => platform.map(|platform| with_floors(platform, &policy.policy)),
            None => platform,
        },
        machine: row.name,
        protocol: None,
        boots: row.boots,
        identity: row.profile,
        measurement: row.measurement,
        policy: row.policy,
        last_verdict: row.standing.as_ref().map(|standing| standing.verdict.clone()),
        last_verdict_at: row.standing.as_ref().map(|standing| standing.at),
        last_trusted_at: row.standing.as_ref().and_then(|standing| standing.trusted_at),
        clone_alarm: row.clone_alarm,
        findings: findings.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(verdict: &str) -> Standing {
        let (findings, verdict) = ("[]".to_owned(), verdict.to_owned());
        Standing { at: 1_000, verdict, findings, trusted_at: None, rounds: 1, clock: None, progress: None }
    }

    #[test]
    fn a_machine_is_unknown_then_healthy_then_stale() {
        assert_eq!(state(None, 1_000, 300), MachineState::Unknown);
        assert_eq!(state(Some(&standing("trusted")), 1_300, 300), MachineState::Healthy);
        assert_eq!(state(Some(&standing("trusted")), 1_301, 300), MachineState::Stale);
    }

    #[test]
    fn a_failed_machine_stays_failed_however_long_it_is_silent() {
        assert_eq!(state(Some(&standing("untrusted")), u64::MAX, 300), MachineState::Failed);
        assert_eq!(state(Some(&standing("unreachable")), u64::MAX, 300), MachineState::Unreachable);
    }
}
