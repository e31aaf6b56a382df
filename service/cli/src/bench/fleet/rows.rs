// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One figure each, with the bar it has to keep and what Keylime takes for the same.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

/// One thing that was measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// What it is a measure of.
    pub(super) kind: &'static str,
    pub(super) keylime: Option<f64>,
    pub(super) bar: Option<f64>,
}

impl Row {
    /// The server's processor time.
    pub(super) fn cpu(what: impl Into<String>, time: Duration) -> Self {
        Self::new(what, time.as_secs_f64() * 1e3, "ms", "cpu")
    }

    /// Time as a machine sees it.
    pub(super) fn wall(what: impl Into<String>, time: Duration) -> Self {
        Self::new(what, time.as_secs_f64() * 1e3, "ms", "wall")
    }

    pub(super) fn memory(what: impl Into<String>, bytes: u64) -> Self {
        // Below 2^53 bytes nothing is lost.
        Self::new(what, bytes as f64 / 1e6, "MB", "memory")
    }

    pub(super) fn count(what: impl Into<String>, count: f64) -> Self {
        Self::new(what, count, "/s", "rate")
    }

    fn new(what: impl Into<String>, value: f64, unit: &'static str, kind: &'static str) -> Self {
        Row { what: what.into(), value, unit, kind, keylime: None, bar: None }
    }

    pub(super) fn keylime(self, value: f64) -> Self {
        Row { keylime: Some(value), ..self }
    }

    pub(super) fn at_most(self, bar: f64) -> Self {
        Row { bar: Some(bar), ..self }
    }

    pub(super) fn is_met(&self) -> Option<bool> {
        self.bar.map(|bar| self.value <= bar)
    }

    /// How many times as much Keylime takes.
    fn ratio(&self) -> Option<f64> {
        self.keylime.map(|keylime| keylime / self.value)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "what": self.what,
            "kind": self.kind,
            "value": self.value,
            "unit": self.unit,
            "keylime": self.keylime,
            "times_less_than_keylime": self.ratio(),
            "at_most": self.bar,
            "met": self.is_met(),
        })
    }
}

/// Lays the rows out for people.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<48} {:>10}    {:>9} {:>8}  {}\n",
        "the server's processor time, unless", "ours", "Keylime", "ratio", "bar"
    );
    for row in rows {
        let optional = |value: Option<f64>, digits| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
        let verdict = match row.is_met() {
            Some(true) => "kept: at most ",
            Some(false) => "MISSED: at most ",
            None => "",
        };
        let bar = row.bar.map_or_else(String::new, |bar| format!("{bar:.3} {}", row.unit));
        let (what, value, unit) = (&row.what, row.value, row.unit);
        let (keylime, ratio) = (optional(row.keylime, 1), optional(row.ratio(), 0));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{what:<48} {value:>10.3} {unit:<3} {keylime:>8} {ratio:>8}  {verdict}{bar}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_kept_or_missed_and_the_table_says_which() {
        let row = Row::cpu("a round", Duration::from_millis(2)).keylime(20.0);
        assert_eq!(row.is_met(), None);
        assert_eq!(row.clone().at_most(2.0).is_met(), Some(true));
        assert_eq!(row.clone().at_most(1.9).is_met(), Some(false));
        assert!(table(&[row.clone().at_most(1.9)]).contains("MISSED"));
        assert_eq!(row.to_json()["times_less_than_keylime"], 10.0);
    }
}
