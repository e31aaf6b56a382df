// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is said of many measured times, and the table of it.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::ways::SWTPM;

/// Microseconds that half, a twentieth and nineteen twentieths of the executions did not exceed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    pub(crate) median: f64,
    pub(crate) p5: f64,
    pub(crate) p95: f64,
}

impl Figures {
    /// Sums up; of no times all figures are zero.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let quantile = |percent: usize| {
            let at = times.len().saturating_sub(1) * percent / 100;
            times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        Figures { median: quantile(50), p5: quantile(5), p95: quantile(95) }
    }
}

/// One command by one way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) command: &'static str,
    pub(crate) way: &'static str,
    pub(crate) figures: Figures,
    /// How many times as long the median of swtpm is, where that was measured.
    pub(crate) to_swtpm: Option<f64>,
}

impl Row {
    pub(crate) fn to_json(&self) -> Value {
        let Figures { median, p5, p95 } = self.figures;
        json!({
            "command": self.command,
            "way": self.way,
            "median_us": median,
            "p5_us": p5,
            "p95_us": p95,
            "times_as_fast_as_swtpm": self.to_swtpm,
        })
    }
}

/// Compares each row with the same command's of swtpm.
pub(crate) fn compare(rows: &mut [Row]) {
    let medians: Vec<(&str, f64)> =
        rows.iter().filter(|row| row.way == SWTPM).map(|row| (row.command, row.figures.median)).collect();
    for row in rows {
        let swtpm = medians.iter().find(|(command, _)| *command == row.command);
        row.to_swtpm = swtpm.map(|(_, median)| median / row.figures.median);
    }
}

/// Lays the rows out for people.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:14} {:24} {:>10} {:>10} {:>10} {:>22}\n",
        "command", "way", "median µs", "p5", "p95", "times as fast as swtpm"
    );
    for Row { command, way, figures, to_swtpm } in rows {
        let ratio = to_swtpm.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let Figures { median, p5, p95 } = figures;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{command:14} {way:24} {median:>10.2} {p5:>10.2} {p95:>10.2} {ratio:>22}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_times_that_were_measured() {
        let times = (1..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(Figures::of(times), Figures { median: 50.0, p5: 5.0, p95: 95.0 });
        assert_eq!(Figures::of(Vec::new()), Figures { median: 0.0, p5: 0.0, p95: 0.0 });
    }

    #[test]
    fn a_row_is_compared_with_the_same_command_of_swtpm() {
        let row = |command, way, median| {
            let figures = Figures { median, p5: median, p95: median };
            Row { command, way, figures, to_swtpm: None }
        };
        let mut rows = [row("Quote", "engine", 2.0), row("Quote", SWTPM, 8.0), row("PCR_Read", "engine", 1.0)];
        compare(&mut rows);
        assert_eq!(rows.map(|row| row.to_swtpm), [Some(4.0), Some(1.0), None]);
    }
}
