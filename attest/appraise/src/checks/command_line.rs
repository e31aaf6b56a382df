// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel command line, wherever it was measured.

use evtpm_verify::logs;

use crate::{
    claims::BootClaims,
    finding::{Finding, Layer, Objection, Severity},
    policy::{BootPolicy, CommandLineRule},
    vector::{TrustClaim, TrustVector},
};

/// A measured command line keeps none of the rules, or none was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    rules: Vec<CommandLineRule>,
    measured: Option<logs::CommandLine>,
}

pub(super) fn check(policy: &BootPolicy, boot: &BootClaims) -> Vec<Finding> {
    let rules = &policy.command_lines;
    let object = |measured| Finding::from(CommandLine { rules: rules.clone(), measured });
    if rules.is_empty() {
        return Vec::new();
    }
    if boot.command_lines.is_empty() {
        return vec![object(None)];
    }
    boot.command_lines
        .iter()
        .filter(|measured| !rules.iter().any(|rule| rule.accepts(measured)))
        .map(|measured| object(Some(measured.clone())))
        .collect()
}

impl Objection for CommandLine {
    const CODE: &'static str = "boot.command-line";

    fn layer(&self) -> Layer {
        Layer::Boot
    }
    fn severity(&self) -> Severity {
        if self.measured.is_some() { Severity::Failure } else { Severity::Missing }
    }
    fn expected(&self) -> String {
        super::show_list(&self.rules)
    }
    fn actual(&self) -> String {
        match &self.measured {
            Some(logs::CommandLine::Text { pcr, text }) => format!("\"{text}\" (PCR {pcr})"),
            Some(logs::CommandLine::Digest { pcr, digests }) => match digests.last() {
                Some((bank, digest)) => format!("a text with {bank}:{digest} (PCR {pcr})"),
                None => format!("a text without digest (PCR {pcr})"),
            },
            None => "none measured".into(),
        }
    }
    fn sentence(&self) -> String {
        match self.measured {
            Some(_) => "The kernel was started with a command line that the policy does not accept.".into(),
            None => "No kernel command line was measured.".into(),
        }
    }
    fn suggestion(&self) -> String {
        match self.measured {
            Some(_) => {
                "Compare the boot loader's entry with the policy; if the change is yours, add it to [boot].".into()
            }
            None => "Boot through a loader that measures it, and quote PCR 8, 9 and 12.".into(),
        }
    }
    fn effect(&self) -> TrustVector {
        match self.measured {
            Some(_) => TrustVector { configuration: TrustClaim::CONTRAINDICATED, ..TrustVector::default() },
            None => TrustVector::default(),
        }
    }
}
