// SPDX-License-Identifier: Apache-2.0 OR MIT
//! "Unreachable, untrusted, unknown and stale are four different states" (rule 13).

use evtpm_api::{ApiFinding, MachineState, MachineSummary};

use crate::store::{MachineRow, Standing};

/// Seconds without a verdict after which a trusted machine is stale.
pub(crate) const STALE_AFTER: u64 = 300;

/// Says in which state a boot is at `now`. Trust runs out; distrust and silence do not turn into anything else.
pub(crate) fn state(standing: Option<&Standing>, now: u64) -> MachineState {
    let Some(standing) = standing else { return MachineState::Unknown };
    match standing.verdict.as_str() {
        "trusted" if now.saturating_sub(standing.at) > STALE_AFTER => MachineState::Stale,
        "trusted" => MachineState::Healthy,
        "untrusted" => MachineState::Failed,
        "unreachable" => MachineState::Unreachable,
        "stale" => MachineState::Stale,
        _ => MachineState::Unknown,
    }
}

/// Puts a machine into the words of the API.
pub(crate) fn summary(row: MachineRow, now: u64) -> MachineSummary {
    let findings: Option<Vec<ApiFinding>> =
        row.standing.as_ref().and_then(|standing| serde_json::from_str(&standing.findings).ok());
    MachineSummary {
        state: state(row.standing.as_ref(), now),
        machine: row.name,
        protocol: None,
        boots: row.boots,
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
        assert_eq!(state(None, 1_000), MachineState::Unknown);
        assert_eq!(state(Some(&standing("trusted")), 1_000 + STALE_AFTER), MachineState::Healthy);
        assert_eq!(state(Some(&standing("trusted")), 1_001 + STALE_AFTER), MachineState::Stale);
    }

    #[test]
    fn a_failed_machine_stays_failed_however_long_it_is_silent() {
        assert_eq!(state(Some(&standing("untrusted")), u64::MAX), MachineState::Failed);
        assert_eq!(state(Some(&standing("unreachable")), u64::MAX), MachineState::Unreachable);
    }
}
