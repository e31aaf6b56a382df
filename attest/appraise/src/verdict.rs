// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The states in which an attester can be; none of them stands in for another (verification rule 13).

use core::fmt;

use evtpm_verify::UnixTime;
use serde::{Deserialize, Serialize};

/// What a relying party may think of an attester.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The evidence is fresh, complete, and what the policy asks for.
    Trusted,
    /// The evidence contradicts the policy, or is forged.
    Untrusted,
    /// The policy asks for something that the evidence does not speak of.
    Unknown,
    /// The evidence is what the policy asks for, but nothing proves that it is of now.
    Stale,
    /// The attester did not answer, so there is nothing to judge.
    Unreachable,
    /// The policy is only tried out: there are findings, and no decision.
    Audit,
}

impl Verdict {
    /// Names the verdict.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Untrusted => "untrusted",
            Self::Unknown => "unknown",
            Self::Stale => "stale",
            Self::Unreachable => "unreachable",
            Self::Audit => "audit",
        }
    }

    /// Returns what is left of a verdict at `now`: trust runs out after `lifetime` seconds, distrust does not.
    pub const fn aged(self, appraised: UnixTime, lifetime: u64, now: UnixTime) -> Self {
        match self {
            Self::Trusted if now.0.saturating_sub(appraised.0) >= lifetime => Self::Stale,
            verdict => verdict,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_runs_out_and_distrust_does_not() {
        let (then, now) = (UnixTime(1000), UnixTime(1300));
        assert_eq!(Verdict::Trusted.aged(then, 301, now), Verdict::Trusted);
        assert_eq!(Verdict::Trusted.aged(then, 300, now), Verdict::Stale);
        for verdict in [Verdict::Untrusted, Verdict::Unknown, Verdict::Unreachable, Verdict::Stale, Verdict::Audit] {
            assert_eq!(verdict.aged(then, 0, now), verdict);
        }
    }

    #[test]
    fn no_two_states_share_a_name() {
        let failed = [Verdict::Untrusted, Verdict::Unknown, Verdict::Stale, Verdict::Unreachable, Verdict::Audit];
        let all: Vec<Verdict> = failed.into_iter().chain([Verdict::Trusted]).collect();
        let names: std::collections::BTreeSet<_> = all.iter().map(|verdict| verdict.name()).collect();
        assert_eq!(names.len(), all.len());
    }
}
