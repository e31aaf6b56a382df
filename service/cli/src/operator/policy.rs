// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm policy put|list|remove`: the policies of a running verifier.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use evtpm_api::PolicySummary;
use hyper::Method;

use super::{VerifierAddress, ago, print};
use crate::Outcome;

/// Gives a policy to a verifier.
#[derive(Debug, Args)]
pub(crate) struct PutPolicy {
    #[command(flatten)]
    address: VerifierAddress,
    /// Its name there.
    name: String,
    /// The policy document, TOML or JSON.
    file: PathBuf,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

/// Lists the policies of a verifier.
#[derive(Debug, Args)]
pub(crate) struct ListPolicies {
    #[command(flatten)]
    address: VerifierAddress,
    /// Answer with JSON.
    #[arg(long)]
    json: bool,
}

/// Takes a policy from a verifier.
#[derive(Debug, Args)]
pub(crate) struct RemovePolicy {
    #[command(flatten)]
    address: VerifierAddress,
    /// Its name there.
    name: String,
}

impl PutPolicy {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let document =
            std::fs::read_to_string(&self.file).with_context(|| format!("reading {}", self.file.display()))?;
        let path = format!("/policies/{}", self.name);
        let policy: PolicySummary = self.address.operator()?.ask(Method::PUT, &path, Some(document))?;
        show(&[policy], self.json)
    }
}

impl ListPolicies {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let policies: Vec<PolicySummary> = self.address.operator()?.ask(Method::GET, "/policies", None)?;
        show(&policies, self.json)
    }
}

impl RemovePolicy {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<Outcome> {
        self.address.operator()?.ask::<()>(Method::DELETE, &format!("/policies/{}", self.name), None)?;
        Ok(Outcome::Good)
    }
}

fn show(policies: &[PolicySummary], json: bool) -> Result<Outcome> {
    let line = |policy: &PolicySummary, _| {
        let changed = ago(Some(policy.changed_at));
        format!("{:<16} {} changed {changed}  {}", policy.name, policy.id, policy.about)
    };
    print(policies, line, json)?;
    Ok(Outcome::Good)
}
