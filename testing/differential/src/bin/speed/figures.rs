// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is said of many measured times.

use std::time::Duration;

use evtpm_testing_differential::both::Both;

/// The times of one command on one side, in microseconds and ascending.
#[derive(Debug)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn new(times: &[Duration]) -> Self {
        let mut micros: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e6).collect();
        micros.sort_by(f64::total_cmp);
        Self(micros)
    }

    /// The time that this share of all times does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        // Rounds to an index, which is far below 2^52.
        let at = (last as f64 * share).round() as usize;
        self.0.get(at).copied().unwrap_or(0.0)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len().max(1) as f64
    }
}

/// The head of the table whose lines [`line()`] makes.
pub(crate) const HEAD: &str =
    "microseconds              theirs min    median       p99    ours min    median       p99   ratio of medians";

/// One command's line, without the verdict.
pub(crate) fn line(name: &str, times: &Both<Times>) -> String {
    let of =
        |times: &Times| format!("{:10.2}{:10.2}{:10.2}", times.quantile(0.0), times.median(), times.quantile(0.99));
    format!("{name:26}{}  {}   {:6.2}", of(&times.theirs), of(&times.ours), ratio(times))
}

/// How many times as long theirs takes.
pub(crate) fn ratio(times: &Both<Times>) -> f64 {
    times.theirs.median() / times.ours.median()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_times_that_were_measured() {
        let times = Times::new(&[3, 1, 2, 5, 4].map(Duration::from_micros));
        assert_eq!([0.0, 0.5, 0.99].map(|share| times.quantile(share)), [1.0, 3.0, 5.0]);
        assert_eq!((times.mean(), Times::new(&[]).median()), (3.0, 0.0));
    }
}
