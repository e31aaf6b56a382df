// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm evidence check`: a folder of evidence against an index that says what each item has to come to.
//!
//! The index is a list of items; an item is a folder `KIND/ID` of files, with an object `expect` of verdicts and decoded
//! fields. An expectation that we do not know how to check is a failure like one that is not met.

mod checks;
mod findings;
mod index;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::Serialize;

use crate::Outcome;
use crate::output::{Palette, Style, printable};
use findings::Findings;
use index::{Item, Store};

#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Check every item of an index: one line for each, then a count. The exit code is 0 only if all of them match.
    Check {
        /// The index: a JSON list of items with `kind`, `id`, `files` and `expect`.
        #[arg(long)]
        index: PathBuf,
        /// The folder that the items lie in, as KIND/ID/FILE.
        folder: PathBuf,
        /// Check the items of one kind only.
        #[arg(long)]
        kind: Option<String>,
        /// Print JSON, an object for each item on a line of its own.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &EvidenceCommand) -> Result<Outcome> {
    let EvidenceCommand::Check { index, folder, kind, json } = command;
    let items = index::load(index)?;
    let chosen = items.iter().filter(|item| kind.as_ref().is_none_or(|kind| item.kind == *kind));
    let mut count = Count::default();
    for item in chosen {
        let verdict = check(item, folder);
        count.add(&verdict);
        if *json { print_json(&verdict)? } else { print_line(&verdict)? }
    }
    if *json {
        writeln!(std::io::stdout(), "{}", serde_json::to_string(&count)?)?;
    } else {
        writeln!(std::io::stdout(), "{} items, {} match, {} do not", count.items, count.matching, count.failing)?;
    }
    Ok(if count.items > 0 && count.failing == 0 { Outcome::Good } else { Outcome::NotTrusted })
}

/// What one item came to.
#[derive(Debug, Serialize)]
struct Verdict {
    kind: String,
    id: String,
    matches: bool,
    checked: Vec<String>,
    failures: Vec<String>,
    /// What the item's data do not allow to check.
    not_checkable: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Count {
    items: usize,
    matching: usize,
    failing: usize,
}

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        self.items += 1;
        if verdict.matches {
            self.matching += 1;
        } else {
            self.failing += 1;
        }
    }
}

fn check(item: &Item, folder: &Path) -> Verdict {
    let mut findings = Findings::default();
    let outcome = Store::open(item, folder).and_then(|store| checks::run(item, &store, &mut findings));
    if let Err(error) = outcome {
        findings.fail("item", format!("{error:#}"));
    }
    let (checked, failures, not_checkable) = findings.into_parts();
    let matches = failures.is_empty() && !checked.is_empty();
    Verdict { kind: item.kind.clone(), id: item.id.clone(), matches, checked, failures, not_checkable }
}

fn print_line(verdict: &Verdict) -> Result<()> {
    let palette = Palette::of_stdout();
    let (style, word) = if verdict.matches { (Style::Good, "ok  ") } else { (Style::Bad, "FAIL") };
    let mut text = format!("{} checks", verdict.checked.len());
    if !verdict.checked.is_empty() {
        text.push_str(": ");
        text.push_str(&verdict.checked.join(", "));
    }
    for failure in &verdict.failures {
        text.push_str("; FAILED ");
        text.push_str(failure);
    }
    for gap in &verdict.not_checkable {
        text.push_str("; not checkable: ");
        text.push_str(gap);
    }
    let name = printable(&format!("{}/{}", verdict.kind, verdict.id));
    writeln!(std::io::stdout(), "{} {name}  {}", palette.paint(style, word), printable(&text))
        .context("standard output")
}

fn print_json(verdict: &Verdict) -> Result<()> {
    writeln!(std::io::stdout(), "{}", serde_json::to_string(verdict)?).context("standard output")
}
