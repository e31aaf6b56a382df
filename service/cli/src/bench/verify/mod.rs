// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm bench verify`: what verification costs beside the bare cryptography in it, and the bars that it has to meet.

mod boot_log;
mod ima;
mod machine;
mod report;

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::Outcome;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// How often each is executed.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Megabytes of the IMA list that is streamed.
    #[arg(long, value_name = "MB", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    stream: u32,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
}

/// One thing that was measured.
#[derive(Debug)]
pub(crate) struct Row {
    what: String,
    /// Microseconds, or for memory kibibytes: the median.
    ours: f64,
    /// The bare cryptography, in the same run.
    raw: Option<f64>,
    unit: &'static str,
    bar: Bar,
}

/// What a row may be at most.
#[derive(Debug, Clone, Copy)]
enum Bar {
    /// So many times the bare cryptography.
    Ratio(f64),
    /// So much.
    Absolute(f64),
    /// One of both is enough.
    Either { absolute: f64, ratio: f64 },
    /// Said, and not judged.
    None,
}

impl Bar {
    fn is_met(self, row: &Row) -> Option<bool> {
        let ratio = row.ratio().unwrap_or(f64::INFINITY);
        match self {
            Self::Ratio(most) => Some(ratio <= most),
            Self::Absolute(most) => Some(row.ours <= most),
            Self::Either { absolute, ratio: most } => Some(row.ours <= absolute || ratio <= most),
            Self::None => None,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::Ratio(most) => format!("≤ {most} × raw"),
            Self::Absolute(most) => format!("≤ {most} {unit}"),
            Self::Either { absolute, ratio } => format!("≤ {absolute} {unit} or ≤ {ratio} × raw"),
            Self::None => String::new(),
        }
    }
}

impl Row {
    fn ratio(&self) -> Option<f64> {
        self.raw.map(|raw| self.ours / raw)
    }

    fn to_json(&self) -> Value {
        json!({
            "what": self.what,
            "value": self.ours,
            "raw": self.raw,
            "unit": self.unit,
            "ratio": self.ratio(),
            "bar": self.bar.text(self.unit),
            "met": self.bar.is_met(self),
        })
    }
}

pub(super) fn run(args: &VerifyArgs) -> Result<Outcome> {
    let mut rows = report::measure(args.runs)?;
    rows.extend(ima::measure(args.runs.div_ceil(10))?);
    rows.extend(boot_log::measure(args.runs)?);
    rows.extend(ima::stream(args.stream)?);
    let mut out = std::io::stdout().lock();
    if args.json {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "runs": args.runs, "rows": rows }))?)?;
    } else {
        write!(out, "{}", table(&rows))?;
    }
    // As `cargo xtask speed` does: whoever asks for the bars is told by the exit code.
    let missed = rows.iter().any(|row| row.bar.is_met(row) == Some(false));
    Ok(if missed { Outcome::NotTrusted } else { Outcome::Good })
}

fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<52} {:>10} {:>10}        {:>6}  bar\n", "", "ours", "raw", "ratio");
    for row in rows {
        let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
        let verdict = match row.bar.is_met(row) {
            Some(true) => "met: ",
            Some(false) => "MISSED: ",
            None => "",
        };
        let (what, ours, raw, ratio) = (&row.what, row.ours, optional(row.raw), optional(row.ratio()));
        let (unit, bar) = (row.unit, row.bar.text(row.unit));
        writeln!(text, "{what:<52} {ours:>10.2} {raw:>10} {unit:<6} {ratio:>6}  {verdict}{bar}").ok();
    }
    text
}

/// Times two things in turn, so that both find the same caches and clocks; medians in microseconds.
fn side_by_side<A, B>(
    runs: u32,
    mut ours: impl FnMut() -> Result<A>,
    mut raw: impl FnMut() -> Result<B>,
) -> Result<(f64, f64)> {
    let (mut times, mut raw_times) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        times.push(time(&mut ours)?);
        raw_times.push(time(&mut raw)?);
    }
    Ok((median(times), median(raw_times)))
}

fn time<T>(work: &mut impl FnMut() -> Result<T>) -> Result<Duration> {
    let start = Stopwatch::start();
    black_box(work()?);
    Ok(start.elapsed())
}

/// The processor time of this thread: what other programs take meanwhile is not in it.
struct Stopwatch(Duration);

impl Stopwatch {
    fn start() -> Self {
        Self(Self::now())
    }

    fn elapsed(&self) -> Duration {
        Self::now().saturating_sub(self.0)
    }

    fn now() -> Duration {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: f64, bar: Bar) -> Row {
        Row { what: "a thing".into(), ours, raw: Some(2.0), unit: "µs", bar }
    }

    #[test]
    fn a_bar_is_met_or_missed_and_the_table_says_which() {
        for (bar, met) in [
            (Bar::Ratio(1.5), true),
            (Bar::Ratio(1.4), false),
            (Bar::Absolute(3.0), true),
            (Bar::Absolute(2.9), false),
            (Bar::Either { absolute: 1.0, ratio: 1.5 }, true),
            (Bar::Either { absolute: 3.0, ratio: 1.0 }, true),
            (Bar::Either { absolute: 1.0, ratio: 1.0 }, false),
        ] {
            assert_eq!(bar.is_met(&row(3.0, bar)), Some(met), "{bar:?}");
            assert_eq!(table(&[row(3.0, bar)]).contains("MISSED"), !met);
        }
    }

    #[test]
    fn each_measurement_runs_and_verifies_what_it_times() {
        assert_eq!(report::measure(1).unwrap().len(), 2);
        assert_eq!(ima::measure(1).unwrap().len(), 2);
        assert_eq!(boot_log::measure(1).unwrap().len(), 2);
        assert_eq!(ima::stream(1).unwrap().len(), 2);
    }
}
