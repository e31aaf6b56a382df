// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy`: documents that say what a machine has to be.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use evtpm_appraise::Policy;
use evtpm_appraise::policy::{AtLeastOne, Bytes};
use evtpm_verify::logs::Keyring;

use crate::Outcome;
use crate::verify::args::{EvidenceArgs, HexBytes};
use crate::verify::chain::{self, State};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Write the policy that accepts this evidence, as TOML, to standard output.
    ///
    /// It accepts what the evidence shows and nothing wider. What verification left open stands at its head; read it before
    /// you use it. Refused evidence teaches nothing (exit code 3).
    Learn {
        #[command(flatten)]
        evidence: Box<EvidenceArgs>,
        /// The launch measurement to demand instead of the report's: the one that `evtpm measure` predicts.
        #[arg(long, value_name = "HEX")]
        measurement: Option<HexBytes>,
        /// A name for people.
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// Read a policy and print its identifier, which results carry.
    Check {
        /// The policy document, TOML or (by the ending .json) JSON.
        file: PathBuf,
    },
}

pub(crate) fn run(command: &PolicyCommand) -> Result<Outcome> {
    match command {
        PolicyCommand::Learn { evidence, measurement, name } => learn(evidence, measurement.as_ref(), name.as_deref())?,
        PolicyCommand::Check { file } => writeln!(std::io::stdout(), "{}", read(file)?.id()?)?,
    }
    Ok(Outcome::Good)
}

/// Reads a policy, TOML unless its name ends in `.json`.
pub(crate) fn read(path: &Path) -> Result<Policy> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let policy = if is_json { Policy::from_json(&text) } else { Policy::from_toml(&text) };
    policy.with_context(|| path.display().to_string())
}

fn learn(evidence: &EvidenceArgs, measurement: Option<&HexBytes>, name: Option<&str>) -> Result<()> {
    let verification = chain::verify(evidence.read()?, &Keyring::new());
    if let Some(refused) = verification.steps.iter().find(|step| step.state == State::Refused) {
        anyhow::bail!("{} refused: {}", refused.what, crate::output::printable(&refused.detail));
    }
    let mut policy = Policy::learn(&verification.claims)?;
    if let Some(HexBytes(measurement)) = measurement {
        let length = measurement.len();
        ensure!(length == 48, "--measurement: expected 48 bytes, got {length}");
        policy.snp.measurements = AtLeastOne::new(Bytes(measurement.as_slice().try_into()?));
    }
    name.unwrap_or_default().clone_into(&mut policy.name);
    let mut out = std::io::stdout().lock();
    for gap in &verification.not_checked {
        writeln!(out, "# not checked: {gap}")?;
    }
    write!(out, "{}", policy.to_toml()?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_does_not_parse_is_named_by_its_file() {
        let path = std::env::temp_dir().join(format!("evtpm-cli-policy-{}.toml", std::process::id()));
        std::fs::write(&path, "version = 1\n").unwrap();
        let error = format!("{:#}", read(&path).unwrap_err());
        std::fs::remove_file(&path).unwrap();
        assert!(error.contains("evtpm-cli-policy") && error.contains("not a policy"), "{error}");
    }
}
