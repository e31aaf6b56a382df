// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm evidence check`: a folder of evidence against an index that says what each item has to come to.
//!
//! The index is a list of items; an item is a folder `KIND/ID` of files, with an object `expect` of verdicts and decoded
//! fields. An item matches if all of that came out so; one with expectations that nothing here knows how to check matches in part, which is not
//! enough either.

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
        let Count { items, matching, in_part, failing } = count;
        let in_part = if in_part > 0 { format!("{in_part} in part, ") } else { String::new() };
        writeln!(std::io::stdout(), "{items} items, {matching} match, {in_part}{failing} do not")?;
    }
    Ok(if count.items > 0 && count.matching == count.items { Outcome::Good } else { Outcome::NotTrusted })
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
    /// What the index expects, and nothing here knows how to check.
    not_checked: Vec<String>,
}

/// How an item came out.
enum State {
    Matches,
    /// What was checked came out as expected; something was not checked.
    InPart,
    Fails,
}

impl Verdict {
    fn state(&self) -> State {
        if !self.failures.is_empty() {
            State::Fails
        } else if self.not_checked.is_empty() {
            State::Matches
        } else {
            State::InPart
        }
    }
}

#[derive(Debug, Default, Serialize)]
struct Count {
    items: usize,
    matching: usize,
    in_part: usize,
    failing: usize,
}

impl Count {
    fn add(&mut self, verdict: &Verdict) {
        self.items += 1;
        match verdict.state() {
            State::Matches => self.matching += 1,
            State::InPart => self.in_part += 1,
            State::Fails => self.failing += 1,
        }
    }
}

fn check(item: &Item, folder: &Path) -> Verdict {
    let mut findings = Findings::default();
    let outcome = Store::open(item, folder).and_then(|store| checks::run(item, &store, &mut findings));
    if let Err(error) = outcome {
        findings.fail("item", format!("{error:#}"));
    }
    if findings.checked.is_empty() && findings.failures.is_empty() {
        findings.fail("item", "nothing in it could be checked".to_owned());
    }
    let Findings { checked, failures, not_checkable, not_checked } = findings;
    let matches = failures.is_empty() && not_checked.is_empty();
    Verdict { kind: item.kind.clone(), id: item.id.clone(), matches, checked, failures, not_checkable, not_checked }
}

fn print_line(verdict: &Verdict) -> Result<()> {
    let palette = Palette::of_stdout();
    let (style, word) = match verdict.state() {
        State::Matches => (Style::Good, "ok  "),
        State::InPart => (Style::Bad, "part"),
        State::Fails => (Style::Bad, "FAIL"),
    };
    let mut text = format!("{} checks", verdict.checked.len());
    if !verdict.checked.is_empty() {
        text.push_str(": ");
        text.push_str(&verdict.checked.join(", "));
    }
    for failure in &verdict.failures {
        text.push_str("; FAILED ");
        text.push_str(failure);
    }
    for expectation in &verdict.not_checked {
        text.push_str("; NOT CHECKED ");
        text.push_str(expectation);
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
