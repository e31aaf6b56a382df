// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm key`: the broker's keys, whom they are for, and who has them.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use evtpm_api::{GrantChange, Grants, KeyKind, KeySummary, Lease, NewKey};
use hyper::Method;
use serde::Serialize;

use super::client::Operator;
use super::resource::ResourceCommand;
use super::{Asked, ago, print};
use crate::Outcome;
use crate::output::{Palette, Style, printable};

/// Storage keys that outlive a machine's boots: a verifier keeps them, and releases them to boots that it trusts.
#[derive(Debug, Args)]
pub(crate) struct KeyCommand {
    #[command(flatten)]
    asked: Asked,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key.
    Add {
        /// Its name.
        name: String,
        /// What it is made of.
        #[arg(long, value_enum, default_value_t = Kind::Ecc)]
        kind: Kind,
        #[command(flatten)]
        whom: Whom,
    },
    /// List the keys.
    List,
    /// Show one key, and who has it.
    Show {
        /// Its name.
        name: String,
    },
    /// Let machines have a key.
    Grant {
        /// Its name.
        name: String,
        #[command(flatten)]
        whom: Whom,
    },
    /// Let machines have a key no more, or end one lease. What a machine has already, it can only be asked to give up.
    Revoke {
        /// The key's name.
        #[arg(required_unless_present = "lease")]
        name: Option<String>,
        #[command(flatten)]
        whom: Whom,
        /// End this lease: the same boot is not given the key again, the next one may be.
        #[arg(long, value_name = "LEASE", conflicts_with_all = ["name", "machines", "policies"])]
        lease: Option<String>,
    },
    /// Forget a key. What is sealed below it can never be opened again.
    Remove {
        /// Its name.
        name: String,
    },
    /// What guests of Confidential Containers fetch by the key broker protocol.
    #[command(subcommand)]
    Resource(ResourceCommand),
    /// List who has which key.
    Leases {
        /// Only the leases of this machine.
        #[arg(long, value_name = "NAME")]
        machine: Option<String>,
        /// Those that ended too.
        #[arg(long)]
        all: bool,
    },
}

/// What a key is made of.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// P-256.
    Ecc,
    /// RSA-2048, for TPMs without elliptic curves.
    Rsa,
}

/// Some machines.
#[derive(Debug, Args)]
struct Whom {
    /// A machine.
    #[arg(long = "machine", value_name = "NAME")]
    machines: Vec<String>,
    /// All machines that this policy judges.
    #[arg(long = "policy", value_name = "NAME")]
    policies: Vec<String>,
}

impl Whom {
    fn grants(&self) -> Grants {
        Grants { machines: self.machines.iter().cloned().collect(), policies: self.policies.iter().cloned().collect() }
    }

    /// As [`Whom::grants`], where nobody would make no sense.
    fn somebody(&self) -> Result<Grants> {
        anyhow::ensure!(!(self.machines.is_empty() && self.policies.is_empty()), "whom? give --machine or --policy");
        Ok(self.grants())
    }
}

/// Runs the command.
pub(crate) fn run(command: &KeyCommand) -> Result<Outcome> {
    let operator = command.asked.address.operator()?;
    let json = command.asked.json;
    match &command.command {
        Command::Add { name, kind, whom } => {
            let kind = match kind {
                Kind::Ecc => KeyKind::Ecc,
                Kind::Rsa => KeyKind::Rsa,
            };
            let request = serde_json::to_string(&NewKey { kind, grants: whom.grants() })?;
            let key: KeySummary = operator.ask(Method::PUT, &format!("/keys/{name}"), Some(request))?;
            print(&[key], line_of_key, json)
        }
        Command::List => print(&operator.ask::<Vec<KeySummary>>(Method::GET, "/keys", None)?, line_of_key, json),
        Command::Show { name } => show(&operator, name, json),
        Command::Grant { name, whom } => {
            change(&operator, name, GrantChange { give: whom.somebody()?, ..GrantChange::default() }, json)
        }
        Command::Revoke { lease: Some(lease), .. } => end(&operator, lease),
        Command::Revoke { name, whom, lease: None } => {
            let name = name.as_deref().context("which key?")?;
            change(&operator, name, GrantChange { take: whom.somebody()?, ..GrantChange::default() }, json)
        }
        Command::Remove { name } => operator.ask(Method::DELETE, &format!("/keys/{name}"), None),
        Command::Resource(command) => command.run(&operator, json),
        Command::Leases { machine, all } => {
            let path = machine.as_ref().map_or("/leases".to_owned(), |machine| format!("/machines/{machine}/leases"));
            let mut leases: Vec<Lease> = operator.ask(Method::GET, &path, None)?;
            leases.retain(|lease| *all || lease.is_live());
            print(&leases, line_of_lease, json)
        }
    }?;
    Ok(Outcome::Good)
}

fn change(operator: &Operator, name: &str, change: GrantChange, json: bool) -> Result<()> {
    let request = serde_json::to_string(&change)?;
    let key: KeySummary = operator.ask(Method::PUT, &format!("/keys/{name}/grants"), Some(request))?;
    print(&[key], line_of_key, json)
}

fn show(operator: &Operator, name: &str, json: bool) -> Result<()> {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        key: KeySummary,
        held: Vec<Lease>,
    }
    let key: KeySummary = operator.ask(Method::GET, &format!("/keys/{name}"), None)?;
    let mut held: Vec<Lease> = operator.ask(Method::GET, "/leases", None)?;
    held.retain(|lease| lease.key == name);
    if json {
        return Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&Shown { key, held })?)?);
    }
    print(&[key], line_of_key, false)?;
    print(&held, line_of_lease, false)
}

/// The verifier names leases by their machine; people need not.
fn end(operator: &Operator, lease: &str) -> Result<()> {
    let leases: Vec<Lease> = operator.ask(Method::GET, "/leases", None)?;
    let found = leases.iter().find(|known| known.lease == lease);
    let machine = &found.with_context(|| format!("there is no lease `{lease}`"))?.machine;
    operator.ask(Method::DELETE, &format!("/machines/{machine}/leases/{lease}"), None)
}

fn line_of_key(key: &KeySummary, _: Palette) -> String {
    let machines = key.grants.machines.iter().map(|machine| format!("machine {machine}"));
    let whom: Vec<String> =
        machines.chain(key.grants.policies.iter().map(|policy| format!("policy {policy}"))).collect();
    let whom = if whom.is_empty() { "nobody".to_owned() } else { whom.join(", ") };
    let (kind, made) = (key.kind.name(), ago(Some(key.created_at)));
    format!("{:<24} {kind}  made {made:<12} {} leases  for {whom}", key.key, key.leases)
}

fn line_of_lease(lease: &Lease, palette: Palette) -> String {
    let state = match &lease.ended_because {
        None => palette.paint(Style::Good, "live "),
        Some(_) => palette.paint(Style::Faint, "ended"),
    };
    let end = lease
        .ended_because
        .as_deref()
        .map_or_else(String::new, |because| format!("  ended {}: {}", ago(lease.ended_at), printable(because)));
    let (machine, released) = (format!("{} boot {}", lease.machine, lease.boot), ago(Some(lease.last_release)));
    format!("{state} {} {machine:<24} {:<24} released {released}{end}", lease.lease, lease.key)
}
