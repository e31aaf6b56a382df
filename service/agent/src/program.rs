// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `evtpm-agent`, and `evtpm agent`: what it is told to do, and the push model.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use evtpm_api::{Registered, Verdict};
use evtpm_log::LogArgs;

use crate::attester::Attester;
use crate::back_off::BackOff;
use crate::device::Tpm;
use crate::disk::{self, program::EnrollArgs, program::UnlockArgs};
use crate::keylime::push::program::{self as keylime_push, KeylimePushArgs};
use crate::keylime::{self, program::PullArgs};
use crate::leases::{Leases, OnEnd};
use crate::peer::Peer;
use crate::random::SystemRng;
use crate::secrets::program::{self as secrets, SecretsArgs};
use crate::verifier::{Refused, Verifier};

/// Attest this machine to whoever relies on it.
///
/// Without a command: register with a verifier of ours and attest, once or again and again (push: no port is opened).
/// With --once: exit code 0 trusted, 1 judged and not trusted, 3 no verdict. Without, it goes on until it is ended.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct AgentArgs {
    #[command(subcommand)]
    command: Option<AgentCommand>,
    #[command(flatten)]
    push: PushArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum AgentCommand {
    /// Be a Keylime agent of the pull model, for a stock Keylime verifier.
    Pull(PullArgs),
    /// Be a Keylime agent of the push model, for a stock Keylime verifier.
    KeylimePush(KeylimePushArgs),
    /// Give a LUKS2 volume a key that only an attested machine gets.
    Enroll(EnrollArgs),
    /// Open such a volume.
    Unlock(UnlockArgs),
    /// Keep secrets in a directory that only an attested machine can read.
    Secrets(SecretsArgs),
}

/// How to attest to a verifier of ours.
#[derive(Debug, Args)]
struct PushArgs {
    #[command(flatten)]
    peer: Peer,
    /// Attest once and end.
    #[arg(long)]
    once: bool,
    /// Seconds between two attestations.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "once")]
    interval: u64,
    /// Print each verdict as one line of JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on_end: OnEnd,
}

/// Runs the agent.
///
/// # Errors
/// What keeps it from working at all; with `--once` also what kept it from a verdict.
pub fn run(args: &AgentArgs) -> Result<ExitCode> {
    args.log.start();
    if let Some(AgentCommand::Pull(args)) = &args.command {
        return keylime::program::run(args).map(|()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &args.command {
            Some(AgentCommand::KeylimePush(args)) => keylime_push::run(args).await.map(|()| ExitCode::SUCCESS),
            Some(AgentCommand::Enroll(args)) => disk::program::enroll(args).await.map(|()| ExitCode::SUCCESS),
            Some(AgentCommand::Unlock(args)) => disk::program::unlock(args).await.map(|()| ExitCode::SUCCESS),
            Some(AgentCommand::Secrets(args)) => secrets::run(args).await.map(|()| ExitCode::SUCCESS),
            Some(AgentCommand::Pull(_)) | None => attest(&args.push).await,
        }
    })
}

async fn attest(args: &PushArgs) -> Result<ExitCode> {
    let (verifier, machine) = args.peer.verifier()?;
    let mut attester = args.peer.attester()?;
    // What is printed as text has no use for the signed result.
    attester.want_results(args.json);
    let mut registered = None;
    let mut leases = Leases::default();
    let mut back_off = BackOff::starting_at(1);
    loop {
        let round = round(args, (&verifier, machine), &mut attester, &mut registered, &mut leases).await;
        match round {
            Ok(verdict) => {
                show(&verdict, args.json)?;
                if args.once {
                    return Ok(ExitCode::from(u8::from(verdict.verdict != "trusted")));
                }
                back_off = BackOff::starting_at(1);
                tokio::time::sleep(Duration::from_secs(args.interval)).await;
            }
            Err(error) if args.once => return Err(error),
            Err(error) => back_off.wait("attesting", &error, None).await,
        }
    }
}

/// One attestation; registers first where the verifier does not know this boot (any more). One that was revoked tries too: its
/// proven keys tell the verifier that there are two of this machine.
async fn round(
    args: &PushArgs,
    (verifier, machine): (&Verifier, &str),
    attester: &mut Attester<Tpm, SystemRng>,
    registered: &mut Option<Registered>,
    leases: &mut Leases,
) -> Result<Verdict> {
    let mut connection = verifier.connect().await?;
    let known = match registered.take() {
        Some(known) => known,
        None => attester.register(&mut connection, machine).await.context("registering")?,
    };
    let verdict = attester.attest(&mut connection, &known, || args.peer.logs().read()).await;
    let forgotten = verdict
        .as_ref()
        .err()
        .and_then(|error| error.downcast_ref::<Refused>())
        .is_some_and(|refused| matches!(refused.error.error.as_str(), "unknown-attester" | "revoked-attester"));
    // A verdict stands, whatever becomes of the leases.
    let looked = if forgotten {
        leases.forgotten(&args.on_end)
    } else {
        leases.look(&mut connection, &known, &args.on_end).await
    };
    if let Err(error) = looked {
        tracing::warn!(error = format!("{error:#}"), "looking at the leases");
    }
    if !forgotten {
        *registered = Some(known);
    }
    verdict.context("attesting")
}

fn show(verdict: &Verdict, json: bool) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(verdict)?)?;
        return Ok(());
    }
    writeln!(out, "{}", verdict.verdict)?;
    for finding in &verdict.findings {
        writeln!(out, "  {:<8} {}: {}", finding.severity, finding.check, finding.message)?;
    }
    Ok(())
}
