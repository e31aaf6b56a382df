// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clock in a quote, compared with the one before (verification rule 5; Part 1, "Timing Components").

use core::fmt;

/// `TPMS_CLOCK_INFO` of a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Clock {
    /// Milliseconds of power, over the TPM's life.
    pub milliseconds: u64,
    /// TPM resets, plus a constant that differs from key to key.
    pub reset_count: u32,
    /// Restarts and resumes since the last reset, plus such a constant.
    pub restart_count: u32,
    /// Whether no later clock can have been reported before.
    pub safe: bool,
}

/// The last clock seen from one attestation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockWitness(Clock);

/// Why a clock does not follow the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockError {
    /// The TPM was reset: a new boot, which needs a new report for a new EK.
    NewBoot {
        /// Resets since the witness.
        resets: u32,
    },
    /// A counter that only rises fell.
    Fell {
        /// The counter.
        counter: &'static str,
        /// What the witness saw.
        expected: u64,
        /// What the quote says.
        actual: u64,
    },
}

impl ClockWitness {
    /// Starts to watch a key with the clock of its first quote.
    #[must_use]
    pub const fn first(clock: Clock) -> Self {
        ClockWitness(clock)
    }

    /// Checks that `clock` follows, and returns the witness of the next quote.
    pub fn follow(self, clock: Clock) -> Result<Self, ClockError> {
        let ClockWitness(before) = self;
        match rise(before.reset_count, clock.reset_count) {
            Some(0) => {}
            Some(resets) => return Err(ClockError::NewBoot { resets }),
            None => return Err(fell("resetCount", before.reset_count, clock.reset_count)),
        }
        if rise(before.restart_count, clock.restart_count).is_none() {
            return Err(fell("restartCount", before.restart_count, clock.restart_count));
        }
        if clock.milliseconds < before.milliseconds {
            let (expected, actual) = (before.milliseconds, clock.milliseconds);
            return Err(ClockError::Fell { counter: "clock", expected, actual });
        }

        Ok(ClockWitness(clock))
    }
}

/// How far a counter rose; `None` if it fell.
///
/// Part 1, "Obfuscation of TPM State": for keys outside the endorsement and platform hierarchy the TPM adds a constant
/// to the counters, and the sum wraps. A difference of more than half the range is therefore a fall.
fn rise(before: u32, after: u32) -> Option<u32> {
    let difference = after.wrapping_sub(before);
    (difference <= u32::MAX / 2).then_some(difference)
}

fn fell(counter: &'static str, expected: u32, actual: u32) -> ClockError {
    ClockError::Fell { counter, expected: expected.into(), actual: actual.into() }
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClockError::NewBoot { resets } => {
                write!(f, "the TPM was reset {resets} times: a new boot needs a new report")
            }
            ClockError::Fell { counter, expected, actual } => write!(f, "{counter} fell from {expected} to {actual}"),
        }
    }
}

impl core::error::Error for ClockError {}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { milliseconds: 5_000, reset_count: 7, restart_count: 3, safe: true };

    #[test]
    fn a_later_quote_of_the_same_boot_follows() {
        let witness = ClockWitness::first(CLOCK);
        let later = Clock { milliseconds: 6_000, ..CLOCK };
        let resumed = Clock { milliseconds: 7_000, restart_count: 4, ..CLOCK };
        assert_eq!(witness.follow(CLOCK), Ok(witness));
        assert_eq!(witness.follow(later).unwrap().follow(resumed), Ok(ClockWitness(resumed)));
    }

    #[test]
    fn a_reset_needs_a_new_report() {
        let reset = Clock { reset_count: 9, restart_count: 0, milliseconds: 9_000, safe: true };
        assert_eq!(ClockWitness::first(CLOCK).follow(reset), Err(ClockError::NewBoot { resets: 2 }));
    }

    #[test]
    fn falling_counters_are_refused_by_name() {
        let witness = ClockWitness::first(CLOCK);
        assert_eq!(
            witness.follow(Clock { reset_count: 6, ..CLOCK }),
            Err(ClockError::Fell { counter: "resetCount", expected: 7, actual: 6 })
        );
        assert_eq!(
            witness.follow(Clock { restart_count: 2, ..CLOCK }),
            Err(ClockError::Fell { counter: "restartCount", expected: 3, actual: 2 })
        );
        assert_eq!(
            witness.follow(Clock { milliseconds: 4_999, ..CLOCK }),
            Err(ClockError::Fell { counter: "clock", expected: 5_000, actual: 4_999 })
        );
    }

    #[test]
    fn an_obfuscated_counter_may_wrap() {
        let witness = ClockWitness::first(Clock { restart_count: u32::MAX, ..CLOCK });
        assert!(witness.follow(Clock { restart_count: 0, ..CLOCK }).is_ok());
    }
}
