// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `evtpm-agent`, and `evtpm agent`: registers this machine and attests it, once or again and again.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use evtpm_api::{Registered, Verdict};

use crate::attester::Attester;
use crate::device::TpmDevice;
use crate::logs::LogFiles;
use crate::random::SystemRng;
use crate::tsm::{self, Configfs, Tsm};
use crate::verifier::{Refused, Verifier};

/// Seconds before the first new attempt after a failure, and at most.
const BACK_OFF: (u64, u64) = (1, 60);

/// Register this machine with a verifier and attest it: push model, no port is opened here.
///
/// With --once: exit code 0 trusted, 1 judged and not trusted, 3 no verdict. Without, it goes on until it is ended.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// The verifier: https://HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub verifier: String,
    /// The certificate of the CA that signed the verifier's (its `ca.pem`).
    #[arg(long, value_name = "FILE")]
    pub ca: PathBuf,
    /// The name that the operator knows this machine by.
    #[arg(long, value_name = "NAME")]
    pub machine: String,
    /// The TPM's device.
    #[arg(long, value_name = "FILE", default_value = "/dev/tpmrm0")]
    pub tpm: PathBuf,
    /// Where the report on the endorsement key comes from.
    #[arg(long, value_enum, default_value_t = ReportSource::Auto)]
    pub report: ReportSource,
    /// The folder in which Linux makes reports.
    #[arg(long, value_name = "DIR", default_value = tsm::ROOT)]
    pub tsm: PathBuf,
    /// The firmware's event log.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/tpm0/binary_bios_measurements")]
    pub event_log: PathBuf,
    /// IMA's list in binary form.
    #[arg(long, value_name = "FILE", default_value = "/sys/kernel/security/ima/binary_runtime_measurements")]
    pub ima_log: PathBuf,
    /// Attest once and end.
    #[arg(long)]
    pub once: bool,
    /// Seconds between two attestations.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "once")]
    pub interval: u64,
    /// Print each verdict as one line of JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where the report comes from that vouches for the endorsement key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportSource {
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(attest(args))
}

async fn attest(args: &AgentArgs) -> Result<ExitCode> {
    let verifier = Verifier::new(&args.verifier, &args.ca)?;
    let logs = LogFiles { event_log: args.event_log.clone(), ima_log: args.ima_log.clone() };
    let mut attester = attester(args)?;
    let mut registered = None;
    let mut wait = BACK_OFF.0;
    loop {
        let round = round(&verifier, &mut attester, &mut registered, args, &logs).await;
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

fn attester(args: &AgentArgs) -> Result<Attester<TpmDevice, SystemRng>> {
    let tpm = TpmDevice::open(&args.tpm)?;
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
    attester: &mut Attester<TpmDevice, SystemRng>,
    registered: &mut Option<Registered>,
    args: &AgentArgs,
    logs: &LogFiles,
) -> Result<Verdict> {
    let mut connection = verifier.connect().await?;
    let known = match registered.take() {
        Some(known) => known,
        None => attester.register(&mut connection, &args.machine).await.context("registering")?,
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
