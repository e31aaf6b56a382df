// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware's log against a measured boot reference state, by the one policy that the verifier was started with.
//!
//! In Keylime a policy is a Python class by name (`measured_boot_policy_name`), and the reference state is for that class to
//! read. The two that read none are here: both want the log to lead to the quoted registers, then one accepts it and the other
//! does not. A reference state that is `{}` asks for nothing, as in Keylime.

use clap::ValueEnum;
use evtpm_logs::{PcrIndex, PcrSet};
use evtpm_verify::logs::{Error, MeasuredBoot};
use evtpm_verify::tpm::Quote;

use super::evidence::{self, Failure};

/// How measured boot is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum BootPolicy {
    /// The log has to lead to the quoted registers; what is in it is not judged (Keylime's default).
    #[default]
    AcceptAll,
    /// Every boot is refused.
    RejectAll,
}

/// The registers that the log has to lead to: 0 to 9 and 14. Keylime also collects 11 to 13 and 15, which a running system
/// extends.
pub(crate) fn registers() -> PcrSet {
    (0..10).chain([14]).filter_map(PcrIndex::new).collect()
}

/// Tells whether a reference state asks for nothing.
pub(crate) fn is_empty(refstate: &str) -> bool {
    matches!(refstate.trim(), "" | "null" | "{}")
}

impl BootPolicy {
    /// Replays the log, and judges it.
    pub(super) fn judge(self, quote: Quote, event_log: &[u8]) -> Result<MeasuredBoot<'_>, Failure> {
        let missing = registers().without(quote.pcrs());
        if !missing.is_empty() {
            let context = format!("PCRs {missing} of measured boot are not in the quote");
            return Err(Failure::new("measured_boot.missing_pcrs", context));
        }
        let boot = MeasuredBoot::partly(quote, event_log, registers(), evidence::ima());
        let boot = boot.map_err(|error| match &error {
            Error::Replay { pcr, .. } => Failure::new(&format!("measured_boot.invalid_pcr_{}", pcr.value()), &error),
            error => Failure::new("measured_boot.invalid_pcr_0", error),
        })?;
        match self {
            BootPolicy::AcceptAll => Ok(boot),
            BootPolicy::RejectAll => Err(Failure::new("measured_boot.policy_violation", "reject all")),
        }
    }
}
