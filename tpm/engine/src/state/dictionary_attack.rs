// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Dictionary-attack protection (Part 1, "Dictionary Attack Protection"): counts failures, and forgives with time.
//!
//! The counters live in the same memory as everything else of an ephemeral TPM, so no failure can be lost by cutting power
//! and the first use after a reset never answers `TPM_RC_RETRY`.

use crate::snapshot::{self, Archive};

const MS_PER_SECOND: u64 = 1_000;

/// What the lockout authority set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaParameters {
    /// Failures before lockout.
    pub max_tries: u32,
    /// Seconds after which one failure is forgiven; zero turns protection off.
    pub recovery_seconds: u32,
    /// Seconds after which a failed lockout authorization may be tried again; zero: after the next `TPM2_Startup`.
    pub lockout_recovery_seconds: u32,
}

impl DaParameters {
    /// Passes every parameter.
    pub(super) fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { max_tries, recovery_seconds, lockout_recovery_seconds } = self;
        archive.pass(max_tries)?;
        archive.pass(recovery_seconds)?;
        archive.pass(lockout_recovery_seconds)
    }
}

/// The failure counters, which a failed command may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DaCounters {
    failed_tries: u32,
    /// `Time` from which the next forgiven failure is counted.
    healing_since: u64,
    /// `Time` of the failed lockout authorization, while that authorization is disabled.
    lockout_failed_at: Option<u64>,
}

impl DaCounters {
    /// Starts without any failure.
    pub(crate) const fn new() -> Self {
        Self { failed_tries: 0, healing_since: 0, lockout_failed_at: None }
    }

    /// Tells the number of failures that have not been forgiven yet.
    pub(crate) const fn failed_tries(&self) -> u32 {
        self.failed_tries
    }

    /// Tells whether objects under protection may not be authorized now.
    pub(crate) const fn in_lockout(&self, parameters: &DaParameters) -> bool {
        self.failed_tries >= parameters.max_tries && parameters.recovery_seconds != 0
    }

    /// Tells whether lockoutAuth may be used.
    pub(crate) const fn lockout_auth_enabled(&self) -> bool {
        self.lockout_failed_at.is_none()
    }

    /// Counts a failed authorization of an object under protection.
    pub(crate) fn register_failure(&mut self, time: u64) {
        if self.failed_tries == 0 {
            self.healing_since = time;
        }
        self.failed_tries = self.failed_tries.saturating_add(1);
    }

    /// Disables lockoutAuth after its authorization failed.
    pub(crate) fn register_lockout_failure(&mut self, time: u64) {
        self.lockout_failed_at = Some(time);
    }

    /// Passes the failures themselves, which cutting the power must not forgive.
    pub(crate) fn pass_permanent<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { failed_tries, healing_since: _, lockout_failed_at } = self;
        archive.pass(failed_tries)?;
        let mut lockout_failed = lockout_failed_at.is_some();
        snapshot::flag(archive, &mut lockout_failed)?;
        *lockout_failed_at = lockout_failed.then(|| lockout_failed_at.unwrap_or(0));
        Ok(())
    }

    /// Tells what is kept of the counters.
    pub(crate) const fn kept(&self) -> (u32, bool) {
        (self.failed_tries, self.lockout_failed_at.is_some())
    }

    /// Passes the moments from which time forgives.
    pub(crate) fn pass_volatile<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { failed_tries: _, healing_since, lockout_failed_at } = self;
        archive.pass(healing_since)?;
        snapshot::option(archive, lockout_failed_at, 0, A::pass)
    }

    /// Forgives what time has forgiven: called before each command.
    pub(crate) fn heal(&mut self, parameters: &DaParameters, time: u64) {
        match u64::from(parameters.recovery_seconds).checked_mul(MS_PER_SECOND) {
            // "recoveryTime: ... A value of zero indicates that DA protection is disabled."
            Some(0) => self.failed_tries = 0,
            Some(interval) => {
                let forgiven = time.saturating_sub(self.healing_since).checked_div(interval).unwrap_or(0);
                self.failed_tries = self.failed_tries.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
                self.healing_since = self.healing_since.saturating_add(forgiven.saturating_mul(interval));
            }
            None => {}
        }
        let wait = u64::from(parameters.lockout_recovery_seconds).saturating_mul(MS_PER_SECOND);
        if wait != 0 && self.lockout_failed_at.is_some_and(|failed| time.saturating_sub(failed) >= wait) {
            self.lockout_failed_at = None;
        }
    }

    /// Starts counting the intervals from now.
    pub(crate) fn restart_healing(&mut self, time: u64) {
        self.healing_since = time;
    }

    /// Clears the failure count (`TPM2_DictionaryAttackLockReset`, `TPM2_Clear`).
    pub(crate) fn reset(&mut self) {
        self.failed_tries = 0;
    }

    /// Enables lockoutAuth again.
    pub(crate) fn enable_lockout_auth(&mut self) {
        self.lockout_failed_at = None;
    }

    /// Follows `Time`, which `_TPM_Init` set to zero: intervals begin anew.
    pub(crate) fn power_on(&mut self) {
        self.healing_since = 0;
        if self.lockout_failed_at.is_some() {
            self.lockout_failed_at = Some(0);
        }
    }

    /// Does what any `TPM2_Startup` does: "use of lockoutAuth shall be enabled if lockoutRecovery is zero".
    pub(crate) fn startup(&mut self, parameters: &DaParameters) {
        if parameters.lockout_recovery_seconds == 0 {
            self.lockout_failed_at = None;
        }
    }
}

impl Default for DaCounters {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: DaParameters = DaParameters { max_tries: 3, recovery_seconds: 10, lockout_recovery_seconds: 60 };

    fn after_failures(count: u32) -> DaCounters {
        let mut counters = DaCounters::new();
        for _ in 0..count {
            counters.register_failure(1_000);
        }
        counters
    }

    #[test]
    fn lockout_begins_with_the_last_allowed_failure() {
        assert!(!after_failures(2).in_lockout(&PARAMETERS));
        assert!(after_failures(3).in_lockout(&PARAMETERS));
    }

    #[test]
    fn one_failure_is_forgiven_after_each_recovery_interval() {
        let mut counters = after_failures(3);
        counters.heal(&PARAMETERS, 10_999);
        assert_eq!(counters.failed_tries(), 3);
        counters.heal(&PARAMETERS, 11_000);
        assert_eq!(counters.failed_tries(), 2);
        counters.heal(&PARAMETERS, 20_999);
        assert_eq!(counters.failed_tries(), 2);
        counters.heal(&PARAMETERS, 31_000);
        assert_eq!(counters.failed_tries(), 0);
    }

    #[test]
    fn recovery_time_zero_turns_protection_off() {
        let off = DaParameters { recovery_seconds: 0, ..PARAMETERS };
        let mut counters = after_failures(9);
        assert!(!counters.in_lockout(&off));
        counters.heal(&off, 1_000);
        assert_eq!(counters.failed_tries(), 0);
    }

    #[test]
    fn zero_tries_means_lockout_at_once() {
        let none = DaParameters { max_tries: 0, ..PARAMETERS };
        assert!(DaCounters::new().in_lockout(&none));
    }

    #[test]
    fn lockout_auth_returns_after_its_own_interval() {
        let mut counters = DaCounters::new();
        counters.register_lockout_failure(5_000);
        counters.heal(&PARAMETERS, 64_999);
        assert!(!counters.lockout_auth_enabled());
        counters.heal(&PARAMETERS, 65_000);
        assert!(counters.lockout_auth_enabled());
    }

    #[test]
    fn with_lockout_recovery_zero_only_a_startup_enables_lockout_auth() {
        let never = DaParameters { lockout_recovery_seconds: 0, ..PARAMETERS };
        let mut counters = DaCounters::new();
        counters.register_lockout_failure(0);
        counters.heal(&never, u64::MAX);
        assert!(!counters.lockout_auth_enabled());
        counters.startup(&never);
        assert!(counters.lockout_auth_enabled());
    }
}
