// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy diff`, `explain` and `schema`: policies for people.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use evtpm_appraise::Policy;
use evtpm_appraise::policy::Effect;

use crate::Outcome;
use crate::output::{Palette, Style, printable};

/// Lists what differs; like `diff`, tells by the exit code whether anything does.
pub(super) fn diff(old: &Path, new: &Path, json: bool) -> Result<Outcome> {
    let changes = super::read(old)?.diff(&super::read(new)?)?;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&changes)?)?;
    } else {
        let palette = Palette::of_stdout();
        for change in &changes {
            let (sign, style) = match change.effect {
                Effect::Wider => ("+", Style::Bad),
                Effect::Narrower => ("-", Style::Good),
                Effect::Other => ("~", Style::Strong),
                Effect::Same => (" ", Style::Faint),
            };
            writeln!(out, "{} {}", palette.paint(style, sign), printable(&change.to_string()))?;
        }
    }
    Ok(if changes.is_empty() { Outcome::Good } else { Outcome::NotTrusted })
}

/// Says in sentences what a policy asks for.
pub(super) fn explain(file: &Path, json: bool) -> Result<Outcome> {
    let policy = super::read(file)?;
    let paragraphs = policy.explain();
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&paragraphs)?)?;
        return Ok(Outcome::Good);
    }
    let palette = Palette::of_stdout();
    writeln!(out, "{} {}", palette.paint(Style::Strong, "policy"), policy.id()?)?;
    for paragraph in paragraphs.into_iter().filter(|paragraph| !paragraph.sentences.is_empty()) {
        writeln!(out, "\n{}", palette.paint(Style::Strong, paragraph.section))?;
        paragraph.sentences.iter().try_for_each(|sentence| writeln!(out, "  {}", printable(sentence)))?;
    }
    Ok(Outcome::Good)
}

/// Prints the JSON Schema of the document.
pub(super) fn schema() -> Result<Outcome> {
    write!(std::io::stdout(), "{}", Policy::SCHEMA)?;
    Ok(Outcome::Good)
}
