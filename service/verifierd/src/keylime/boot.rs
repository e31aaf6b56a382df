// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The firmware's log against a measured boot reference state, by the one policy that the verifier was started with.
//!
//! In Keylime a policy is a Python class by name (`measured_boot_policy_name`), and the reference state is for that class to
//! read. The three that Keylime ships are here. All want the log to lead to the quoted registers. A reference state that is
//! `{}` asks for nothing, as in Keylime.

mod example;
mod reference;

use std::sync::Arc;

use clap::ValueEnum;
use evtpm_logs::{HashId, PcrIndex, PcrSet};
use evtpm_verify::logs::{Error, MeasuredBoot};
use evtpm_verify::tpm::{Quote, QuotedBank};

use self::reference::ReferenceState;
use super::evidence::{self, Failure};

/// How measured boot is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum BootPolicy {
    /// The log has to lead to the quoted registers; what is in it is not judged (Keylime's default).
    #[default]
    AcceptAll,
    /// Every boot is refused.
    RejectAll,
    /// shim and GRUB, event by event, by a reference state that says which (Keylime's `example`).
    Example,
}

/// The policy with an order's reference state.
#[derive(Debug, Clone)]
pub(crate) enum BootRules {
    AcceptAll,
    RejectAll,
    Example(Arc<ReferenceState>),
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
    /// Reads a reference state; `None` for one that asks for nothing.
    pub(crate) fn read(self, refstate: &str) -> Result<Option<BootRules>, String> {
        if is_empty(refstate) {
            return Ok(None);
        }
        Ok(Some(match self {
            BootPolicy::AcceptAll => BootRules::AcceptAll,
            BootPolicy::RejectAll => BootRules::RejectAll,
            BootPolicy::Example => BootRules::Example(Arc::new(ReferenceState::read(refstate)?)),
        }))
    }
}

impl BootRules {
    /// Replays the log, and judges it.
    pub(super) fn judge<'a>(&self, quote: Quote, event_log: &'a [u8]) -> Result<MeasuredBoot<'a>, Failure> {
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
        let violation = |why: String| Failure::new("measured_boot.policy_violation", why);
        match self {
            BootRules::AcceptAll => Ok(boot),
            BootRules::RejectAll => Err(violation("reject all".to_owned())),
            BootRules::Example(state) => {
                // A quote of an order is of one bank.
                let bank = boot.quote().banks().first().map_or(HashId::SHA256, QuotedBank::algorithm);
                example::judge(state, bank, boot.events()).map_err(violation)?;
                Ok(boot)
            }
        }
    }
}

#[cfg(test)]
mod tests;
