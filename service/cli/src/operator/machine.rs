// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm machine`: the machines that a verifier knows.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use evtpm_api::{MachineDetails, MachineRequest, MachineState, MachineSummary};
use hyper::Method;

use super::client::Operator;
use super::{Asked, ago, print};
use crate::Outcome;
use crate::output::{Palette, Style, printable};

/// Ask a verifier about machines, and tell it about them.
#[derive(Debug, Args)]
pub(crate) struct MachineCommand {
    #[command(flatten)]
    asked: Asked,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a machine before it registers, or change the policy of one that has.
    Add {
        /// Its name.
        name: String,
        /// The policy that judges it; the default one without.
        #[arg(long, value_name = "POLICY")]
        policy: Option<String>,
    },
    /// List all machines.
    List,
    /// Show one machine: its state, why, and its boots. The exit code is 1 unless it is healthy.
    Show {
        /// Its name.
        name: String,
    },
    /// Show what happens, until interrupted; with --json one event a line.
    Watch {
        /// The machine to watch; all without.
        name: Option<String>,
    },
    /// Forget a machine; it may register again, as anything.
    Remove {
        /// Its name.
        name: String,
    },
    /// End the alarm of a machine of which two were seen.
    EndAlarm {
        /// Its name.
        name: String,
    },
}

/// Runs the command.
pub(crate) fn run(command: &MachineCommand) -> Result<Outcome> {
    let operator = command.asked.address.operator()?;
    let json = command.asked.json;
    match &command.command {
        Command::Add { name, policy } => {
            let request = serde_json::to_string(&MachineRequest { policy: policy.clone() })?;
            let machine: MachineSummary = operator.ask(Method::PUT, &format!("/machines/{name}"), Some(request))?;
            print(&[machine], line, json)
        }
        Command::List => print(&operator.ask::<Vec<_>>(Method::GET, "/machines", None)?, line, json),
        Command::Show { name } => return show(&operator, name, json),
        Command::Watch { name } => watch(&operator, name.as_deref(), json),
        Command::Remove { name } => operator.ask(Method::DELETE, &format!("/machines/{name}"), None),
        Command::EndAlarm { name } => operator.ask(Method::DELETE, &format!("/machines/{name}/alarm"), None),
    }?;
    Ok(Outcome::Good)
}

/// One line about a machine: state, name, age of the evidence, policy, the first reason.
fn line(machine: &MachineSummary, palette: Palette) -> String {
    let state = palette.paint(style(machine.state), &format!("{:<11}", machine.state.name()));
    let alarm = if machine.clone_alarm { palette.paint(Style::Bad, "  CLONE ALARM") } else { String::new() };
    // An agent of Keylime is judged by what its tenant ordered, not by a policy of ours.
    let (otherwise, protocol) = match machine.protocol.as_deref() {
        Some(protocol) => ("none", format!("  {}", printable(protocol))),
        None => ("default", String::new()),
    };
    let policy = machine.policy.as_deref().unwrap_or(otherwise);
    let reason = machine.findings.first().filter(|_| machine.state != MachineState::Healthy);
    let reason = reason.map_or_else(String::new, |finding| format!("  {}", printable(&finding.message)));
    let evidence = ago(machine.last_verdict_at);
    format!("{state} {:<24} evidence {evidence:<12} policy {policy}{protocol}{alarm}{reason}", machine.machine)
}

fn style(state: MachineState) -> Style {
    match state {
        MachineState::Healthy => Style::Good,
        MachineState::Failed => Style::Bad,
        MachineState::Unknown | MachineState::Stale | MachineState::Unreachable => Style::Strong,
    }
}

fn show(operator: &Operator, name: &str, json: bool) -> Result<Outcome> {
    let details: MachineDetails = operator.ask(Method::GET, &format!("/machines/{name}"), None)?;
    let machine = &details.machine;
    let mut out = std::io::stdout().lock();
    let healthy = if machine.state == MachineState::Healthy { Outcome::Good } else { Outcome::NotTrusted };
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&details)?)?;
        return Ok(healthy);
    }
    writeln!(out, "{}", line(machine, Palette::of_stdout()))?;
    if let Some(identity) = &machine.identity {
        writeln!(out, "  known by    {}", known_by(identity))?;
    }
    if let Some(measurement) = &machine.measurement {
        writeln!(out, "  launched as {measurement}")?;
    }
    writeln!(out, "  last trusted {}", ago(machine.last_trusted_at))?;
    for finding in &machine.findings {
        writeln!(out, "  {:<8} {}: {}", finding.severity, finding.check, printable(&finding.message))?;
    }
    for boot in &details.history {
        let (rounds, registered) = (boot.rounds, ago(Some(boot.registered_at)));
        let end = boot.revoked_at.map_or_else(String::new, |at| format!(", revoked {}", ago(Some(at))));
        writeln!(out, "  boot {}: {}, {rounds} verdicts, registered {registered}{end}", boot.boot, boot.state.name())?;
    }
    Ok(healthy)
}

/// Says what vouches for a machine's keys.
fn known_by(identity: &str) -> String {
    let words = match identity {
        "nv-report" => "the report in its TPM's NV memory",
        "svsm-v0" | "svsm-v1" => "the SVSM's report over our nonce",
        "azure-hcl" => "the report and claims of Azure's paravisor",
        "ek-certificate" => "its TPM vendor's certificate (no report of the launch)",
        other => return printable(other),
    };
    format!("{words} ({identity})")
}

/// Lists what there is, then each event.
fn watch(operator: &Operator, name: Option<&str>, json: bool) -> Result<()> {
    let machines = operator.ask::<Vec<MachineSummary>>(Method::GET, "/machines", None)?;
    let wanted = |machine: &str| name.is_none_or(|name| name == machine);
    let machines: Vec<_> = machines.into_iter().filter(|machine| wanted(&machine.machine)).collect();
    if !json {
        print(&machines, line, json)?;
    }
    operator.follow(
        || (),
        |event| {
            if wanted(&event.machine) {
                let text = if json {
                    serde_json::to_string(&event)?
                } else {
                    format!("{} {} {}  {}", event.at, event.machine, event.event, printable(&event.detail))
                };
                writeln!(std::io::stdout(), "{text}")?;
            }
            Ok(false)
        },
    )
}
