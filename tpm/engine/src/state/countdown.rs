// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Authenticated countdown timers (Part 1, "Authenticated Countdown Timer (ACT)"), counted by `Time` and by nobody else.
//!
//! A timer remembers when it will have counted to zero, so that nothing needs to happen each second.

use super::AuthPolicy;
use super::hierarchies::pass_policy;
use crate::snapshot::{self, Archive, Invalid};
use evtpm_tpm_wire::{Handle, TpmaAct};

const MS_PER_SECOND: u64 = 1_000;

/// Number of timers: the handles from `TPM_RH_ACT_0` on.
const COUNT: usize = 2;

/// One timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Countdown {
    left: Left,
    /// Whether it had signaled when it was last set or resumed.
    signaled: bool,
    preserve_signaled: bool,
    set_since_startup: bool,
    saved: Saved,
    /// The authPolicy; the authValue is the platform's.
    pub policy: AuthPolicy,
}

/// What is left of the timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// It signals at this `Time`, in milliseconds.
    Until(u64),
    /// "a startTimeout of FF FF FF FF will ... stop the counting".
    Stopped,
}

/// What `TPM2_Shutdown(STATE)` saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Saved {
    timeout: u32,
    signaled: bool,
}

impl Countdown {
    const IDLE: Self = Self {
        left: Left::Nothing,
        signaled: false,
        preserve_signaled: false,
        set_since_startup: false,
        saved: Saved { timeout: 0, signaled: false },
        policy: None,
    };

    fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { left, signaled, preserve_signaled, set_since_startup, saved, policy } = self;
        let (mut kind, mut end) = match *left {
            Left::Nothing => (0u8, 0),
            Left::Until(end) => (1, end),
            Left::Stopped => (2, 0),
        };
        archive.pass(&mut kind)?;
        archive.pass(&mut end)?;
        *left = match kind {
            0 => Left::Nothing,
            1 => Left::Until(end),
            2 => Left::Stopped,
            _ => return Err(Invalid::Value.into()),
        };
        archive.pass(&mut saved.timeout)?;
        for value in [signaled, preserve_signaled, set_since_startup, &mut saved.signaled] {
            snapshot::flag(archive, value)?;
        }
        pass_policy(archive, policy)
    }

    /// Tells the seconds that are left, a begun one as a whole one.
    pub(crate) fn timeout(&self, time: u64) -> u32 {
        match self.left {
            Left::Nothing => 0,
            Left::Until(end) => u32::try_from(end.saturating_sub(time).div_ceil(MS_PER_SECOND)).unwrap_or(u32::MAX),
            Left::Stopped => u32::MAX,
        }
    }

    /// Tells whether the timer has signaled: "on a transition from non-zero to zero".
    pub(crate) fn signaled(&self, time: u64) -> bool {
        self.signaled || matches!(self.left, Left::Until(end) if end <= time)
    }

    /// Tells the attributes.
    pub(crate) fn attributes(&self, time: u64) -> TpmaAct {
        TpmaAct::NONE
            .assign(TpmaAct::SIGNALED, self.signaled(time))
            .assign(TpmaAct::PRESERVE_SIGNALED, self.preserve_signaled)
    }

    /// Sets the timeout. "If ACT Timeout is zero and startTimeout is zero, then signaled will be unchanged"; "If ACT Timeout
    /// is non-zero and startTimeout is zero, then signaled will be SET"; in the other cases it will be CLEAR.
    pub(crate) fn set(&mut self, timeout: u32, time: u64) {
        self.signaled = timeout == 0 && (self.signaled(time) || self.timeout(time) != 0);
        self.preserve_signaled = false;
        self.set_since_startup = true;
        self.start(timeout, time);
    }

    fn start(&mut self, timeout: u32, time: u64) {
        self.left = match timeout {
            0 => Left::Nothing,
            u32::MAX => Left::Stopped,
            seconds => Left::Until(time.saturating_add(u64::from(seconds).saturating_mul(MS_PER_SECOND))),
        };
    }
}

/// All timers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Countdowns([Countdown; COUNT]);

impl Countdowns {
    /// Timers that do not count.
    pub(crate) const IDLE: Self = Self([Countdown::IDLE; COUNT]);

    /// Passes every timer.
    pub(super) fn pass<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        self.0.iter_mut().try_for_each(|timer| timer.pass(archive))
    }

    /// Finds a timer by its handle.
    pub(crate) fn at(&self, handle: Handle) -> Option<&Countdown> {
        self.0.get(position(handle)?)
    }

    /// Finds a timer by its handle, to change it.
    pub(crate) fn at_mut(&mut self, handle: Handle) -> Option<&mut Countdown> {
        self.0.get_mut(position(handle)?)
    }

    /// Walks over the timers with their handles.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Handle, &Countdown)> {
        (Handle::ACT_0.0..).map(Handle).zip(&self.0)
    }

    /// Does what `TPM2_Shutdown(STATE)` does: "If an ACT startTimeout has been written ... since the last TPM2_Startup(), then
    /// the current timeout of the ACT is saved ...; otherwise, the saved value is one half".
    pub(crate) fn save(&mut self, time: u64) {
        for timer in &mut self.0 {
            let timeout = match timer.timeout(time) {
                // Half of one would be a timer that never signals.
                whole @ (0 | 1 | u32::MAX) => whole,
                whole if timer.set_since_startup => whole,
                whole => whole >> 1,
            };
            timer.saved = Saved { timeout, signaled: timer.signaled(time) };
        }
    }

    /// Does what `_TPM_Init` does: nothing counts until `TPM2_Startup`.
    pub(crate) fn power_on(&mut self) {
        for timer in &mut self.0 {
            (timer.left, timer.signaled) = (Left::Nothing, false);
        }
    }

    /// Does what TPM Resume does: "the saved ACT values are restored and the ACT resumes counting", "the state of each ACT
    /// signaled is copied to the corresponding preservedSignaled".
    pub(crate) fn resume(&mut self, time: u64) {
        for timer in &mut self.0 {
            timer.start(timer.saved.timeout, time);
            timer.signaled = timer.saved.signaled;
            timer.preserve_signaled = timer.saved.signaled;
            timer.set_since_startup = false;
        }
    }

    /// "On TPM Reset or TPM Restart, all ACT timeouts are set to zero with no side effects", and policies to Empty Policies.
    pub(crate) fn startup_clear(&mut self) {
        *self = Self::IDLE;
    }
}

fn position(handle: Handle) -> Option<usize> {
    usize::try_from(handle.0.checked_sub(Handle::ACT_0.0)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(timeout: u32) -> Countdown {
        let mut timer = Countdown::IDLE;
        timer.set(timeout, 0);
        timer
    }

    fn shown(timer: &Countdown, time: u64) -> (u32, bool) {
        (timer.timeout(time), timer.signaled(time))
    }

    #[test]
    fn a_timer_counts_seconds_and_signals_at_zero() {
        let timer = timer(3);
        assert_eq!(shown(&timer, 0), (3, false));
        assert_eq!(shown(&timer, 1_000), (2, false));
        assert_eq!(shown(&timer, 2_999), (1, false));
        assert_eq!(shown(&timer, 3_000), (0, true));
    }

    #[test]
    fn the_four_states_of_old_and_new_timeout_decide_the_signal() {
        // (timeout set at 0, at 5 s: timeout set, signaled)
        for (old, new, signaled) in [(1, 7, false), (9, 7, false), (0, 0, false), (1, 0, true), (9, 0, true)] {
            let mut timer = timer(old);
            timer.set(new, 5_000);
            assert_eq!(shown(&timer, 5_000), (new, signaled), "{old} {new}");
        }
    }

    #[test]
    fn the_largest_timeout_takes_the_signal_back_and_stops() {
        let mut timer = timer(1);
        timer.set(u32::MAX, 5_000);
        assert_eq!(shown(&timer, u64::MAX), (u32::MAX, false));
    }

    #[test]
    fn a_resume_counts_on_and_the_next_one_only_from_half() {
        let mut timers = Countdowns::IDLE;
        timers.at_mut(Handle::ACT_0).unwrap().set(100, 0);
        let mut resumed = |time| {
            timers.save(time);
            timers.power_on();
            timers.resume(0);
            timers.at(Handle::ACT_0).unwrap().timeout(0)
        };
        assert_eq!(resumed(20_000), 80);
        assert_eq!(resumed(20_000), 30);
        assert_eq!(resumed(29_000), 1);
        assert_eq!(resumed(0), 1);
    }

    #[test]
    fn a_signal_is_kept_over_a_resume_and_shown_as_preserved() {
        let mut timers = Countdowns::IDLE;
        timers.at_mut(Handle::ACT_0).unwrap().set(1, 0);
        timers.save(1_000);
        timers.power_on();
        timers.resume(0);
        let attributes = |handle| timers.at(handle).unwrap().attributes(0);
        assert_eq!(attributes(Handle::ACT_0), TpmaAct::SIGNALED | TpmaAct::PRESERVE_SIGNALED);
        assert_eq!(attributes(Handle(Handle::ACT_0.0 + 1)), TpmaAct::NONE);
    }
}
