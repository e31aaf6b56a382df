// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A predicted launch for a person or a program: each range, what of it counts, and the digests before and after it.

use std::fmt::Display;
use std::io::Write;

use anyhow::Result;
use evtpm_measure::sev::PieceKind;
use evtpm_measure::{Launch, PageType, SevLaunch};
use serde_json::{Map, Value, json};

use super::Output;
use crate::output::{Palette, Style};

const PAGE_BYTES: u64 = 4096;

/// A launch digest and how it came about.
#[derive(Debug)]
pub(super) struct Explained {
    digest: String,
    ranges: Vec<Range>,
    /// What else is known of the launch, by name.
    facts: Vec<(&'static str, Value)>,
}

#[derive(Debug)]
struct Range {
    gpa: Option<u64>,
    bytes: u64,
    kind: &'static str,
    counts: &'static str,
    before: String,
    after: String,
}

impl Explained {
    pub(super) fn snp(launch: &Launch) -> Self {
        let ranges = launch
            .steps()
            .map(|step| Range {
                gpa: Some(step.range.gpa),
                bytes: step.range.count * PAGE_BYTES,
                kind: page_type(step.range.page_type),
                counts: if step.range.page_type.measures_contents() { "contents and address" } else { "address" },
                before: step.before.to_string(),
                after: step.after.to_string(),
            })
            .collect();
        Self::new(&launch.digest(), ranges)
    }

    pub(super) fn sev(launch: &SevLaunch) -> Self {
        let ranges = launch
            .steps()
            .map(|step| Range {
                gpa: step.piece.gpa,
                bytes: step.piece.contents.length(),
                kind: match step.piece.kind {
                    PieceKind::Data => "data",
                    PieceKind::Vmsa => "processor state",
                },
                counts: "contents",
                before: step.before.to_string(),
                after: step.after.to_string(),
            })
            .collect();
        Self::new(&launch.digest(), ranges)
    }

    fn new(digest: &impl Display, ranges: Vec<Range>) -> Self {
        Self { digest: digest.to_string(), ranges, facts: Vec::new() }
    }

    /// Adds something that is known of the launch.
    pub(super) fn fact(&mut self, name: &'static str, value: impl Into<Value>) {
        self.facts.push((name, value.into()));
    }

    pub(super) fn print(&self, output: &Output) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if output.json {
            writeln!(out, "{}", serde_json::to_string_pretty(&self.to_json())?)?;
            return Ok(());
        }
        if output.explain {
            let palette = Palette::of_stdout();
            for range in &self.ranges {
                let place = range.gpa.map_or_else(|| "-".to_owned(), |gpa| format!("{gpa:#014x}"));
                let (bytes, kind, counts) = (range.bytes, range.kind, range.counts);
                writeln!(out, "{place:<14}  {bytes:>10} bytes  {kind:<15}  {counts}")?;
                writeln!(out, "  before {}", palette.paint(Style::Faint, &range.before))?;
                writeln!(out, "  after  {}", range.after)?;
            }
            for (name, value) in &self.facts {
                writeln!(out, "{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))?;
            }
        }
        writeln!(out, "{}", self.digest)?;
        Ok(())
    }

    fn to_json(&self) -> Value {
        let ranges: Vec<_> = self.ranges.iter().map(Range::to_json).collect();
        let mut object: Map<_, _> =
            self.facts.iter().map(|(name, value)| (name.replace(' ', "_"), value.clone())).collect();
        object.insert("measurement".into(), self.digest.clone().into());
        object.insert("ranges".into(), ranges.into());
        object.into()
    }
}

impl Range {
    fn to_json(&self) -> Value {
        json!({
            "gpa": self.gpa,
            "bytes": self.bytes,
            "type": self.kind,
            "counts": self.counts,
            "before": self.before,
            "after": self.after,
        })
    }
}

/// Names a type as the firmware's interface does.
fn page_type(page_type: PageType) -> &'static str {
    match page_type {
        PageType::Normal => "normal",
        PageType::Vmsa => "processor state",
        PageType::Zero => "zero",
        PageType::Unmeasured => "unmeasured",
        PageType::Secrets => "secrets",
        PageType::Cpuid => "CPUID",
    }
}
