// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `evtpm-agent`, and `evtpm agent`: what it is told to do, and the push model.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use evtpm_api::{Registered, Verdict};

use crate::attester::Attester;
use crate::device::Tpm;
use crate::keylime::{self, program::PullArgs};
use crate::logs::LogFiles;
use crate::random::SystemRng;
use crate::tsm::{self, Configfs, Tsm};
use crate::verifier::{Refused, Verifier};

/// Seconds before the first new attempt after a failure, and at most.
const BACK_OFF: (u64, u64) = (1, 60);

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
}

#[derive(Debug, Subcommand)]
enum AgentCommand {
    /// Be a Keylime agent of the pull model, for a stock Keylime verifier.
    Pull(PullArgs),
}

/// How to attest to a verifier of ours.
#[derive(Debug, Args)]
struct PushArgs {
    /// The verifier: https://HOST:PORT.
    #[arg(long, value_name = "URL", required = true)]
    verifier: Option<String>,
    /// The certificate of the CA that signed the verifier's (its `ca.pem`).
    #[arg(long, value_name = "FILE", required = true)]
    ca: Option<PathBuf>,
    /// The name that the operator knows this machine by.
    #[arg(long, value_name = "NAME", required = true)]
    machine: Option<String>,
    /// The TPM: a device, the data channel of a software TPM as tcp:HOST:PORT or unix:PATH, or auto: /dev/tpmrm0, else /dev/tpm0.
    #[arg(long, value_name = "TPM", default_value = "auto")]
    tpm: String,
    /// Where the report on the endorsement key comes from.
    #[arg(long, value_enum, default_value_t = ReportSource::Auto)]
    report: ReportSource,
    /// The folder in which Linux makes reports.
    #[arg(long, value_name = "DIR", default_value = tsm::ROOT)]
    tsm: PathBuf,
    /// The firmware's event log.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/tpm0/binary_bios_measurements")]
    event_log: PathBuf,
    /// IMA's list in binary form.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/ima/binary_runtime_measurements")]
    ima_log: PathBuf,
    /// Attest once and end.
    #[arg(long)]
    once: bool,
    /// Seconds between two attestations.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "once")]
    interval: u64,
    /// Print each verdict as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Where the report comes from that vouches for the endorsement key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportSource {
    /// From the SVSM where it can be asked, else from the TPM.
    Auto,
    /// From the SVSM, in answer to the verifier's nonce.
    Svsm,
    /// From the TPM's NV memory, where it lies since the boot.
    Nv,
}

/// Runs the agent.
///
/// # Errors
/// What keeps it from working at all; with `--once` also what kept it from a verdict.
pub fn run(args: &AgentArgs) -> Result<ExitCode> {
    if let Some(AgentCommand::Pull(args)) = &args.command {
        return keylime::program::run(args).map(|()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(attest(&args.push))
}

async fn attest(args: &PushArgs) -> Result<ExitCode> {
    let (Some(verifier), Some(ca), Some(machine)) = (&args.verifier, &args.ca, &args.machine) else {
        anyhow::bail!("--verifier, --ca and --machine are needed");
    };
    let verifier = Verifier::new(verifier, ca)?;
    let logs = LogFiles { event_log: args.event_log.clone(), ima_log: args.ima_log.clone() };
    let mut attester = attester(args)?;
    let mut registered = None;
    let mut wait = BACK_OFF.0;
    loop {
        let round = round(&verifier, &mut attester, &mut registered, machine, &logs).await;
        match round {
            Ok(verdict) => {
                show(&verdict, args.json)?;
                if args.once {
                    return Ok(ExitCode::from(u8::from(verdict.verdict != "trusted")));
                }
                wait = BACK_OFF.0;
                tokio::time::sleep(Duration::from_secs(args.interval)).await;
            }
            Err(error) if args.once => return Err(error),
            Err(error) => {
                eprintln!("evtpm-agent: {error:#}; trying again in {wait} s");
                tokio::time::sleep(Duration::from_secs(wait)).await;
                wait = (wait * 2).min(BACK_OFF.1);
            }
        }
    }
}

fn attester(args: &PushArgs) -> Result<Attester<Tpm, SystemRng>> {
    let tpm = Tpm::open(&args.tpm)?;
    let open = || Tsm::open(Configfs(args.tsm.clone()));
    let svsm = match args.report {
        ReportSource::Nv => None,
        ReportSource::Svsm => open()?,
        // Who may use the TPM need not be allowed to use configfs.
        ReportSource::Auto => open().unwrap_or_else(|error| {
            eprintln!("evtpm-agent: {error:#}; taking the report from the TPM");
            None
        }),
    };
    match svsm {
        Some(svsm) => Attester::with_svsm(tpm, SystemRng, Box::new(svsm)),
        None if args.report == ReportSource::Svsm => {
            anyhow::bail!("no SVSM can be asked for a report through {}", args.tsm.display())
        }
        None => Attester::new(tpm, SystemRng),
    }
}

/// One attestation; registers first where the verifier does not know this boot (any more).
async fn round(
    verifier: &Verifier,
    attester: &mut Attester<Tpm, SystemRng>,
    registered: &mut Option<Registered>,
    machine: &str,
    logs: &LogFiles,
) -> Result<Verdict> {
    let mut connection = verifier.connect().await?;
    let known = match registered.take() {
        Some(known) => known,
        None => attester.register(&mut connection, machine).await.context("registering")?,
    };
    let verdict = attester.attest(&mut connection, &known, || logs.read()).await;
    let forgotten = verdict
        .as_ref()
        .err()
        .and_then(|error| error.downcast_ref::<Refused>())
        .is_some_and(|refused| refused.error.error == "unknown-attester");
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
