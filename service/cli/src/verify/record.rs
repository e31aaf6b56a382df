// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The record of a verification, for people and for machines.

use std::io::{self, Write};

use evtpm_appraise::{Appraisal, Explanation, Finding, Verdict};
use evtpm_result::Ear;
use evtpm_verify::UnixTime;
use serde::Serialize;
use serde_json::Value;

use super::chain::{State, Step, Verification};
use super::facts::Fact;
use crate::explanation;
use crate::output::{Palette, Style, printable};

/// What it all came to.
#[derive(Debug)]
pub(crate) enum Conclusion {
    /// A policy judged.
    Appraised { appraisal: Box<Appraisal>, policy_id: String, ear: Box<Ear> },
    /// No policy judged, and some evidence did not verify.
    Refused,
    /// Everything verified, and no policy judged.
    NotAppraised,
}

impl Conclusion {
    fn name(&self) -> &'static str {
        match self {
            Self::Appraised { appraisal, .. } => appraisal.verdict().name(),
            Self::Refused => "refused",
            Self::NotAppraised => "not appraised",
        }
    }

    fn would_be(&self) -> Option<&'static str> {
        match self {
            Self::Appraised { appraisal, .. } => appraisal.would_be().map(Verdict::name),
            Self::Refused | Self::NotAppraised => None,
        }
    }
}

/// Everything that there is to say, in the order in which it is said.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    at: String,
    conclusion: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    would_be: Option<&'static str>,
    steps: &'a [Step],
    facts: serde_json::Map<String, Value>,
    not_checked: &'a [String],
    policy: Option<&'a str>,
    findings: Vec<Explanation>,
    ear: Option<&'a Ear>,
    #[serde(skip)]
    facts_in_order: &'a [Fact],
}

impl<'a> Record<'a> {
    pub(crate) fn new(verification: &'a Verification, conclusion: &'a Conclusion, at: UnixTime) -> Self {
        let (policy, ear, findings) = match conclusion {
            Conclusion::Appraised { appraisal, policy_id, ear } => {
                let mut findings: Vec<Explanation> = appraisal.findings().map(Finding::explain).collect();
                findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
                (Some(policy_id.as_str()), Some(ear.as_ref()), findings)
            }
            Conclusion::Refused | Conclusion::NotAppraised => (None, None, Vec::new()),
        };
        Record {
            at: at.to_string(),
            conclusion: conclusion.name(),
            would_be: conclusion.would_be(),
            steps: &verification.steps,
            facts: verification.facts.iter().map(|fact| (fact.name.to_owned(), fact.value.clone())).collect(),
            not_checked: &verification.not_checked,
            policy,
            findings,
            ear,
            facts_in_order: &verification.facts,
        }
    }

    /// Tells a person.
    pub(crate) fn show(&self, out: &mut impl Write) -> io::Result<()> {
        let palette = Palette::of_stdout();
        writeln!(out, "{}", palette.paint(Style::Strong, &format!("verified at {}", self.at)))?;
        for step in self.steps {
            let state = palette.paint(style_of_state(step.state), &format!("{:<12}", step.state.name()));
            writeln!(out, "  {state} {:<16} {}", step.what, printable(&step.detail))?;
        }
        self.show_facts(out, palette)?;
        if !self.not_checked.is_empty() {
            writeln!(out, "\n{}", palette.paint(Style::Strong, "not checked"))?;
            self.not_checked.iter().try_for_each(|gap| writeln!(out, "  {gap}"))?;
        }
        self.show_findings(out, palette)?;
        self.show_conclusion(out, palette)
    }

    fn show_facts(&self, out: &mut impl Write, palette: Palette) -> io::Result<()> {
        if self.facts_in_order.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", palette.paint(Style::Strong, "what was verified says"))?;
        for Fact { name, value } in self.facts_in_order {
            match value {
                Value::Object(banks) => show_registers(out, name, banks)?,
                Value::Array(entries) if entries.is_empty() => writeln!(out, "  {name:<22} none")?,
                Value::Array(entries) => entries.iter().try_for_each(|entry| show_fact(out, name, entry))?,
                single => show_fact(out, name, single)?,
            }
        }
        Ok(())
    }

    fn show_findings(&self, out: &mut impl Write, palette: Palette) -> io::Result<()> {
        if self.findings.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", palette.paint(Style::Strong, "findings"))?;
        explanation::show(out, palette, &self.findings)
    }

    fn show_conclusion(&self, out: &mut impl Write, palette: Palette) -> io::Result<()> {
        let (style, why) = match (self.conclusion, self.policy) {
            ("audit", Some(policy)) => {
                let would_be = self.would_be.unwrap_or_default();
                (Style::Strong, format!("by policy {policy}, which would have come to {would_be}"))
            }
            ("trusted", Some(policy)) => (Style::Good, format!("by policy {policy}")),
            (_, Some(policy)) => (Style::Bad, format!("by policy {policy}")),
            ("refused", None) => {
                (Style::Bad, "evidence did not verify; there was no policy to appraise the rest".into())
            }
            (_, None) => (Style::Strong, "without --policy nobody said what the machine has to be".into()),
        };
        writeln!(out, "\n{} {why}", palette.paint(style, &format!("{}:", self.conclusion)))
    }
}

fn show_fact(out: &mut impl Write, name: &str, value: &Value) -> io::Result<()> {
    let text = value.as_str().map_or_else(|| value.to_string(), printable);
    writeln!(out, "  {name:<22} {text}")
}

fn show_registers(out: &mut impl Write, name: &str, banks: &serde_json::Map<String, Value>) -> io::Result<()> {
    for (bank, values) in banks {
        for (pcr, value) in values.as_object().into_iter().flatten() {
            show_fact(out, &format!("{name} {bank}:{pcr}"), value)?;
        }
    }
    Ok(())
}

const fn style_of_state(state: State) -> Style {
    match state {
        State::Verified => Style::Good,
        State::Named => Style::Strong,
        State::Refused => Style::Bad,
        State::NotReached => Style::Faint,
    }
}
