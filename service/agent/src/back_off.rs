// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How long to wait before the next attempt: twice as long after each failure, a minute at most.

use std::time::Duration;

/// The longest wait, in seconds.
const MOST: u64 = 60;

/// Waits between attempts that fail.
#[derive(Debug)]
pub(crate) struct BackOff {
    seconds: u64,
}

impl BackOff {
    /// Starts with so many seconds.
    pub(crate) const fn starting_at(seconds: u64) -> Self {
        BackOff { seconds }
    }

    /// Says what failed and waits; where the other side asked for a time, that long.
    pub(crate) async fn wait(&mut self, doing: &str, error: &anyhow::Error, asked: Option<Duration>) {
        let seconds = self.after_failure(asked);
        tracing::warn!(error = format!("{error:#}"), seconds, "{doing}; trying again");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn after_failure(&mut self, asked: Option<Duration>) -> u64 {
        let seconds = asked.map_or(self.seconds, |asked| asked.as_secs().clamp(1, MOST));
        self.seconds = (self.seconds * 2).min(MOST);
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_minute_and_a_wish_is_granted() {
        let mut back_off = BackOff::starting_at(2);
        let asked = [None, None, Some(Duration::from_millis(10)), Some(Duration::from_secs(900)), None, None, None];
        assert_eq!(asked.map(|asked| back_off.after_failure(asked)), [2, 4, 1, 60, 32, 60, 60]);
    }
}
