// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy`: documents that say what a machine has to be.

mod add;
mod from_boot;
mod learn;
mod show;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use evtpm_appraise::Policy;
use evtpm_appraise::policy::{ProductName, RegoModule, RegoPolicy};

use crate::{Outcome, operator};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Write the policy that accepts this evidence, as TOML, to standard output.
    ///
    /// It accepts what the evidence shows and nothing wider. What verification left open stands at its head; read it before
    /// you use it. Refused evidence teaches nothing (exit code 3).
    Learn(Box<learn::Learn>),
    /// Write the policy for a direct boot (QEMU's -kernel) from its inputs, as TOML, to standard output.
    ///
    /// Nothing of it comes from a machine: kernel, initial RAM disk, command line and memory size decide what firmware and
    /// kernel measure into PCR 4 and 9.
    FromBoot(Box<from_boot::FromBoot>),
    /// Write a policy with reference values added, as TOML, to standard output.
    ///
    /// They are a vendor's, as CoRIM signed by a key that you name, or your own, as manifests of files. Rules in Rego can be
    /// added, too.
    Add(Box<add::Add>),
    /// List what differs from one policy to another, and whether more machines pass (+) or fewer (-).
    ///
    /// Exit codes: 0 nothing differs; 1 something does.
    Diff {
        /// The policy that was.
        old: PathBuf,
        /// The policy that is.
        new: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say in sentences what a policy asks for, and what nobody asks.
    Explain {
        /// The policy document.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the policy document.
    Schema,
    /// Give a policy to a running verifier, under a name; `default` is for machines that have none of their own.
    Put(operator::PutPolicy),
    /// List the policies of a running verifier.
    List(operator::ListPolicies),
    /// Take a policy that no machine has from a running verifier.
    Remove(operator::RemovePolicy),
    /// Read a policy and print its identifier, which results carry.
    Check {
        /// The policy document, TOML or (by the ending .json) JSON.
        file: PathBuf,
    },
}

pub(crate) fn run(command: &PolicyCommand) -> Result<Outcome> {
    match command {
        PolicyCommand::Learn(command) => command.run()?,
        PolicyCommand::FromBoot(command) => command.run()?,
        PolicyCommand::Add(command) => command.run()?,
        PolicyCommand::Diff { old, new, json } => return show::diff(old, new, *json),
        PolicyCommand::Explain { file, json } => return show::explain(file, *json),
        PolicyCommand::Schema => return show::schema(),
        PolicyCommand::Put(command) => return command.run(),
        PolicyCommand::List(command) => return command.run(),
        PolicyCommand::Remove(command) => return command.run(),
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

/// Gives a policy the Rego module of a file.
pub(crate) fn add_rego(policy: &mut Policy, path: &Path) -> Result<()> {
    ensure!(policy.rego.is_none(), "{}: the policy has a Rego module already", path.display());
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let module = RegoModule::new(text).with_context(|| path.display().to_string())?;
    policy.rego = Some(RegoPolicy { module });
    Ok(())
}

/// Reads the name of a product line of AMD.
fn product(text: &str) -> Result<ProductName, String> {
    ProductName::from_name(text).ok_or_else(|| "not one of Milan, Genoa, Turin, Venice".to_owned())
}

/// Writes a policy that was made, below remarks for whoever reads it.
fn write(policy: &Policy, remarks: &[String]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for remark in remarks {
        writeln!(out, "# {remark}")?;
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
