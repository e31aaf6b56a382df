// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm audit`: what a verifier decided, and whether its log of it is whole.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use evtpm_api::AuditLine;
use evtpm_verifierd::audit::Chain;
use evtpm_verify::UnixTime;
use hyper::Method;

use super::Asked;
use super::client::Operator;
use crate::Outcome;
use crate::output::printable;

/// Read a verifier's audit log, and check its chain.
#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    #[command(flatten)]
    asked: Asked,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the log.
    List {
        /// The line to begin behind.
        #[arg(long, value_name = "LINE", default_value_t = 0)]
        after: u64,
    },
    /// Follow the chain through the whole log, here, and print its head. The exit code is 1 if it is broken.
    Verify {
        /// A head that was printed before: it has to be the hash of the line of that number.
        #[arg(long, value_name = "LINE:HASH")]
        expect: Option<String>,
    },
}

/// Runs the command.
pub(crate) fn run(command: &AuditCommand) -> Result<Outcome> {
    let operator = command.asked.address.operator()?;
    match &command.command {
        Command::List { after } => list(&operator, *after, command.asked.json),
        Command::Verify { expect } => verify(&operator, expect.as_deref(), command.asked.json),
    }
}

/// Reads the log page by page.
fn pages(operator: &Operator, mut after: u64, mut read: impl FnMut(&AuditLine) -> Result<()>) -> Result<()> {
    loop {
        let page: Vec<AuditLine> = operator.ask(Method::GET, &format!("/audit?after={after}"), None)?;
        page.iter().try_for_each(&mut read)?;
        match page.last() {
            Some(last) if last.id > after => after = last.id,
            _ => return Ok(()),
        }
    }
}

fn list(operator: &Operator, after: u64, json: bool) -> Result<Outcome> {
    let mut out = std::io::stdout().lock();
    pages(operator, after, |line| {
        let text = if json {
            serde_json::to_string(line)?
        } else {
            let machine = line.machine.as_deref().unwrap_or("-");
            let at = UnixTime(line.at);
            format!("{:>8} {at} {machine} {} {}", line.id, line.event, printable(&line.detail))
        };
        Ok(writeln!(out, "{text}")?)
    })?;
    Ok(Outcome::Good)
}

fn verify(operator: &Operator, expect: Option<&str>, json: bool) -> Result<Outcome> {
    let expected = expect.map(expected_line).transpose()?;
    let mut chain = Chain::default();
    let mut broken = None;
    pages(operator, 0, |line| {
        if broken.is_none() {
            broken = chain.follow_line(line).err().map(|broken| broken.to_string());
        }
        if let Some((id, hash)) = expected.as_ref().filter(|(id, _)| *id == line.id && broken.is_none())
            && *hash != line.hash
        {
            broken = Some(format!("line {id} of the audit log: its hash was {hash}, it is {}", line.hash));
        }
        Ok(())
    })?;
    if let Some((id, _)) = expected.filter(|(id, _)| broken.is_none() && *id > chain.last) {
        broken = Some(format!("line {id} of the audit log is gone: the log ends at {}", chain.last));
    }

    let head = crate::output::hex(&chain.head);
    let mut out = std::io::stdout().lock();
    if json {
        let told = serde_json::json!({ "lines": chain.lines, "head": head, "broken": broken });
        writeln!(out, "{told}")?;
    } else {
        match &broken {
            Some(broken) => writeln!(out, "BROKEN: {broken}")?,
            None => writeln!(out, "the chain holds over {} lines; its head is {}:{head}", chain.lines, chain.last)?,
        }
    }
    Ok(if broken.is_none() { Outcome::Good } else { Outcome::NotTrusted })
}

fn expected_line(text: &str) -> Result<(u64, String)> {
    let (id, hash) = text.split_once(':').with_context(|| format!("--expect: `{text}` is not LINE:HASH"))?;
    Ok((id.parse().with_context(|| format!("--expect: `{id}` is no number"))?, hash.to_owned()))
}
