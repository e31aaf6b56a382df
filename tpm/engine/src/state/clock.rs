// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Time` and `Clock` (Part 1, "Timing Components"), advanced by the platform's milliseconds and never by themselves.

/// The two running counters and what says how far to believe them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The platform's milliseconds when the counters were last advanced.
    seen: Option<u64>,
    /// Milliseconds since the last `_TPM_Init`.
    time: u64,
    /// Milliseconds of operation over the TPM's life; may be set forward by the owner.
    clock: u64,
}

impl Clock {
    /// Starts both counters at zero.
    pub(crate) const fn new() -> Self {
        Self { seen: None, time: 0, clock: 0 }
    }

    /// Advances both counters to the platform's `now`; a platform clock that steps back is read as standing still.
    pub(crate) fn advance(&mut self, now: u64) {
        let elapsed = now.saturating_sub(self.seen.unwrap_or(now));
        self.seen = Some(now);
        self.time = self.time.saturating_add(elapsed);
        self.clock = self.clock.saturating_add(elapsed);
    }

    /// Restarts `Time`, as `_TPM_Init` does.
    pub(crate) fn power_on(&mut self) {
        self.time = 0;
    }

    /// Tells `Time`, in milliseconds.
    pub(crate) const fn time(&self) -> u64 {
        self.time
    }

    /// Tells `Clock`, in milliseconds.
    pub(crate) const fn clock(&self) -> u64 {
        self.clock
    }

    /// Sets `Clock`; the caller has checked that it moves forward.
    pub(crate) fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// Sets `Clock` to zero, as `TPM2_Clear` does.
    pub(crate) fn clear(&mut self) {
        self.clock = 0;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sight_of_the_platform_clock_advances_nothing() {
        let mut clock = Clock::new();
        clock.advance(5_000);
        assert_eq!((clock.time(), clock.clock()), (0, 0));
        clock.advance(5_250);
        assert_eq!((clock.time(), clock.clock()), (250, 250));
    }

    #[test]
    fn power_on_restarts_time_but_not_clock() {
        let mut clock = Clock::new();
        clock.advance(0);
        clock.advance(700);
        clock.power_on();
        clock.advance(1_000);
        assert_eq!((clock.time(), clock.clock()), (300, 1_000));
    }

    #[test]
    fn a_platform_clock_that_steps_back_stands_still() {
        let mut clock = Clock::new();
        clock.advance(1_000);
        clock.advance(400);
        assert_eq!(clock.time(), 0);
        clock.advance(500);
        assert_eq!(clock.time(), 100);
    }
}
