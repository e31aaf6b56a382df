// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `Time` and `Clock` (Part 1, "Timing Components"), advanced by the platform's milliseconds and never by themselves.

use crate::snapshot::{Archive, Invalid};
use evtpm_tpm_wire::TpmClockAdjust;

/// The rate at which a millisecond is a millisecond; one fine step changes it by 1, that is by 33 in a million.
const NOMINAL: u64 = 30_000;
/// "The nominal rate of advance for Clock and Time shall be accurate to within 15 percent": no more can need correction.
const LARGEST_CORRECTION: u64 = NOMINAL * 15 / 100;

/// Milliseconds between the values of `Clock` that are kept (`TPM_PT_CLOCK_UPDATE`).
pub(crate) const UPDATE_INTERVAL: u64 = 1 << 16;

/// The two running counters and what says how far to believe them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clock {
    /// The platform's milliseconds when the counters were last advanced.
    seen: Option<u64>,
    /// Milliseconds since the last `_TPM_Init`.
    time: u64,
    /// Milliseconds of operation over the TPM's life; may be set forward by the owner.
    clock: u64,
    /// How fast both run, against [`NOMINAL`].
    rate: u64,
    /// What has not made a whole millisecond yet.
    rest: u64,
}

impl Clock {
    /// Starts both counters at zero.
    pub(crate) const fn new() -> Self {
        Self { seen: None, time: 0, clock: 0, rate: NOMINAL, rest: 0 }
    }

    /// Advances both counters to the platform's `now`; a platform clock that steps back is read as standing still.
    pub(crate) fn advance(&mut self, now: u64) {
        let real = now.saturating_sub(self.seen.unwrap_or(now));
        self.seen = Some(now);
        let total = real.saturating_mul(self.rate).saturating_add(self.rest);
        let elapsed = total / NOMINAL;
        self.rest = total % NOMINAL;
        self.time = self.time.saturating_add(elapsed);
        self.clock = self.clock.saturating_add(elapsed);
    }

    /// Restarts `Time`, as `_TPM_Init` does; "Changes to the current Clock update rate adjustment need not be persisted
    /// across TPM power cycles."
    pub(crate) fn power_on(&mut self) {
        self.time = 0;
        self.rate = NOMINAL;
    }

    /// Makes both counters run faster or slower, or tells that no clock can be that wrong.
    pub(crate) fn adjust(&mut self, adjustment: TpmClockAdjust) -> Result<(), TooFar> {
        let rate = match adjustment {
            TpmClockAdjust::CoarseSlower => self.rate.saturating_sub(300),
            TpmClockAdjust::MediumSlower => self.rate.saturating_sub(30),
            TpmClockAdjust::FineSlower => self.rate.saturating_sub(1),
            TpmClockAdjust::NoChange => self.rate,
            TpmClockAdjust::FineFaster => self.rate.saturating_add(1),
            TpmClockAdjust::MediumFaster => self.rate.saturating_add(30),
            TpmClockAdjust::CoarseFaster => self.rate.saturating_add(300),
        };
        if rate.abs_diff(NOMINAL) > LARGEST_CORRECTION {
            return Err(TooFar);
        }
        self.rate = rate;
        Ok(())
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

    /// Tells what is kept of `Clock`.
    pub(crate) fn kept(&self, orderly: bool) -> u64 {
        let ahead = (self.clock | UPDATE_INTERVAL.saturating_sub(1)).saturating_add(1);
        if orderly { self.clock } else { ahead }
    }

    /// Passes `Clock`: after an orderly shutdown as it stands, else the end of its interval, so that a TPM that lost power
    /// never tells an earlier time than it told before ("safe").
    pub(crate) fn pass_permanent<A: Archive>(&mut self, archive: &mut A, orderly: bool) -> Result<(), A::Error> {
        let mut kept = self.kept(orderly);
        archive.pass(&mut kept)?;
        if archive.is_restoring() {
            *self = Self { clock: kept, ..Self::new() };
        }
        Ok(())
    }

    /// Passes both counters as they stand; the platform's own milliseconds mean nothing elsewhere.
    pub(crate) fn pass_volatile<A: Archive>(&mut self, archive: &mut A) -> Result<(), A::Error> {
        let Self { seen: _, time, clock, rate, rest } = self;
        for value in [time, clock, rate, rest] {
            archive.pass(value)?;
        }
        if rate.abs_diff(NOMINAL) > LARGEST_CORRECTION || *rest >= NOMINAL {
            Err(Invalid::Value.into())
        } else {
            Ok(())
        }
    }

    /// Sets `Clock` to zero, as `TPM2_Clear` does.
    pub(crate) fn clear(&mut self) {
        self.clock = 0;
    }
}

/// An adjustment that would take the rate farther from the nominal one than any clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooFar;

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
    fn one_coarse_step_is_one_in_a_hundred_and_no_part_of_a_millisecond_is_lost() {
        let mut clock = Clock::new();
        clock.advance(0);
        clock.adjust(TpmClockAdjust::CoarseFaster).unwrap();
        (1..=1_000).for_each(|now| clock.advance(now));
        assert_eq!((clock.time(), clock.clock()), (1_010, 1_010));
        clock.adjust(TpmClockAdjust::CoarseSlower).unwrap();
        clock.adjust(TpmClockAdjust::MediumSlower).unwrap();
        clock.advance(2_000);
        assert_eq!(clock.clock(), 2_009);
    }

    #[test]
    fn the_rate_stops_at_fifteen_in_a_hundred_and_is_nominal_after_power_on() {
        for step in [TpmClockAdjust::CoarseFaster, TpmClockAdjust::CoarseSlower] {
            let mut clock = Clock::new();
            for _ in 0..15 {
                clock.adjust(step).unwrap();
            }
            assert_eq!(clock.adjust(step), Err(TooFar));
            clock.power_on();
            assert_eq!(clock.adjust(step), Ok(()));
        }
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
