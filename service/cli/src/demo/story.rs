// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tells the demonstration: as a story on a terminal, or as JSON for machines.

use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use serde::Serialize;

use super::attacks::Attack;
use super::verifier::Answer;
use crate::Outcome;
use crate::output::{Palette, Style, printable};

/// What is told.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Told {
    /// The good machine was judged.
    Good { trusted: bool, reasons: Vec<String> },
    /// An attack was played.
    Attack { name: &'static str, row: u8, caught: bool, expected: &'static str, reasons: Vec<String> },
}

/// The story so far.
#[derive(Debug)]
pub(super) struct Story {
    palette: Palette,
    json: bool,
    began: Instant,
    told: Vec<Told>,
}

impl Story {
    pub(super) fn new(json: bool) -> Self {
        Story { palette: Palette::of_stdout(), json, began: Instant::now(), told: Vec::new() }
    }

    pub(super) fn told(&mut self, told: Told) {
        self.told.push(told);
    }

    /// Begins a chapter.
    pub(super) fn chapter(&self, title: &str) {
        // A reader who closed the pipe wants no more of the story; its end is still the exit code.
        drop(self.line(&format!("\n{}", self.palette.paint(Style::Strong, title))));
    }

    /// Tells one step.
    pub(super) fn step(&self, what: &str, text: &str) -> Result<()> {
        let seconds = format!("{:6.2} s", self.began.elapsed().as_secs_f64());
        self.line(&format!("{}  {what:<26} {text}", self.palette.paint(Style::Faint, &seconds)))
    }

    /// Tells what the verifier said of the good machine.
    pub(super) fn verdict(&self, answer: &Answer) -> Result<()> {
        let text = match (answer, answer.is_trusted()) {
            (_, true) => self.palette.paint(Style::Good, "TRUSTED"),
            (Answer::Verdict(verdict), false) => self.palette.paint(Style::Bad, &verdict.verdict.to_uppercase()),
            (_, false) => self.palette.paint(Style::Bad, "REFUSED"),
        };
        self.step("The verdict", &text)?;
        for reason in answer.reasons() {
            self.line(&format!("          {}", self.palette.paint(Style::Faint, &printable(&reason))))?;
        }
        Ok(())
    }

    /// Tells an attack and what became of it.
    pub(super) fn attack(&mut self, attack: &Attack, answer: &Answer, caught: bool) -> Result<()> {
        let reasons = answer.reasons();
        let mark = if caught {
            self.palette.paint(Style::Good, "caught")
        } else {
            self.palette.paint(Style::Bad, "NOT CAUGHT")
        };
        self.step(attack.name, &format!("{mark}  {}", attack.about))?;
        let named = reasons.iter().find(|reason| reason.contains(attack.caught_by)).or(reasons.first());
        if let Some(reason) = named {
            self.line(&format!("{:37}{}", "", self.palette.paint(Style::Faint, &abridged(&printable(reason)))))?;
        }
        self.told(Told::Attack { name: attack.name, row: attack.row, caught, expected: attack.caught_by, reasons });
        Ok(())
    }

    /// Ends the story: good if the good machine is trusted and every attack was caught.
    pub(super) fn end(self) -> Result<Outcome> {
        let good = |told: &Told| match told {
            Told::Good { trusted, .. } => *trusted,
            Told::Attack { caught, .. } => *caught,
        };
        let is_good = self.told.iter().all(good);
        if self.json {
            writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&self.told)?)?;
        } else {
            self.line(&format!("\n{}", summary(&self.told)))?;
        }
        Ok(if is_good { Outcome::Good } else { Outcome::NotTrusted })
    }

    fn line(&self, text: &str) -> Result<()> {
        if !self.json {
            writeln!(std::io::stdout(), "{text}")?;
        }
        Ok(())
    }
}

/// What stands below the story: how many attacks were caught, if any were played, and what the verdict is worth.
fn summary(told: &[Told]) -> String {
    let attacks = told.iter().filter(|told| matches!(told, Told::Attack { .. })).count();
    let caught = told.iter().filter(|told| matches!(told, Told::Attack { caught: true, .. })).count();
    let score = if attacks == 0 { String::new() } else { format!("{caught} of {attacks} attacks caught. ") };
    format!("{score}The chip was simulated: no hardware stands behind this verdict.")
}

/// Shortens what is hexadecimal and long: nobody compares digests by eye.
fn abridged(text: &str) -> String {
    let shorten = |word: &str| match word.char_indices().nth(16) {
        Some((end, _)) if word.len() > 40 => format!("{}…", word.get(..end).unwrap_or(word)),
        _ => word.to_owned(),
    };
    text.split(' ').map(shorten).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(caught: bool) -> Told {
        Told::Attack { name: "theft", row: 1, caught, expected: "a lock", reasons: Vec::new() }
    }

    #[test]
    fn attacks_are_counted_where_some_were_played() {
        let good = Told::Good { trusted: true, reasons: Vec::new() };
        let only_the_good = [good.clone()];
        assert!(!summary(&only_the_good).contains("attack"), "{}", summary(&only_the_good));
        let some = [good, attack(true), attack(false), attack(true)];
        assert!(summary(&some).starts_with("2 of 3 attacks caught."), "{}", summary(&some));
    }
}
