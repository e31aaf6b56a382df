// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm bench`: how long the commands of remote attestation take, by each way to a TPM, and how long verification takes.

mod figures;
mod fleet;
mod plot;
mod verify;
mod ways;
mod workload;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use self::figures::{Figures, Row};
use self::ways::Way;
use self::workload::{COMMANDS, Workload};
use crate::Outcome;

/// Said wherever the figures are.
const NOTE: &str = "A hardware VMPL switch is not in these figures: the SVSM call is made and handled in one process.";

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Time PCR_Read, PCR_Extend, Quote and CreatePrimary (Figure 4 of the paper on SVSM vTPMs) by each way to a TPM.
    ///
    /// The ways are the SVSM's vTPM call, the engine in this process, our server behind a unix socket, and swtpm behind
    /// another. A hardware VMPL switch is in none of them. The commands take turns by each way, so that all meet the same
    /// load. `cargo xtask speed` compares with libtpms in one process, and every other command over sockets.
    Commands(CommandsArgs),
    /// Time verification beside the bare cryptography in it: reports, IMA lists, boot logs, memory of a streamed list.
    ///
    /// Both are executed in turn in one run, and take processor time. The exit code is 1 if a bar is missed.
    Verify(verify::VerifyArgs),
    /// Measure what a verifier costs for many machines, in a process of its own, beside Keylime's.
    ///
    /// The machines are simulated, with real engines, quotes, reports and logs, and share the processors with the verifier.
    /// What is compared is the verifier's processor time (user and system). The exit code is 1 if a bar is missed.
    Fleet(fleet::FleetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CommandsArgs {
    /// How often each command is executed by each way; the paper's figure has 3000.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// The swtpm to compare with, or `none`; without one on the machine its rows say so.
    #[arg(long, value_name = "PATH|none", default_value = "swtpm")]
    swtpm: String,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Draw the figure into this SVG file as well.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

pub(crate) fn run(command: &BenchCommand) -> Result<Outcome> {
    match command {
        BenchCommand::Commands(args) => commands(args),
        BenchCommand::Verify(args) => verify::run(args),
        BenchCommand::Fleet(args) => fleet::run(args),
    }
}

fn commands(args: &CommandsArgs) -> Result<Outcome> {
    let swtpm = (args.swtpm != "none").then_some(args.swtpm.as_str());
    let (ways, skipped) = ways::open(swtpm)?;
    let rows = measure(ways, args.runs)?;
    if let Some(path) = &args.plot {
        std::fs::write(path, plot::draw(&rows, NOTE)).with_context(|| format!("writing {}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        let document = json!({ "runs": args.runs, "rows": rows, "skipped": skipped, "note": NOTE });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    } else {
        write!(out, "{}", figures::table(&rows))?;
        for way in &skipped {
            writeln!(out, "skipped: {way}")?;
        }
        writeln!(out, "{NOTE}")?;
    }
    Ok(Outcome::Good)
}

/// Executions by one way before it is the next one's turn: few enough to share the load, enough to be warm.
const BATCH: u32 = 8;

/// Times every command by every way.
fn measure(ways: Vec<Way>, runs: u32) -> Result<Vec<Row>> {
    let mut workloads = ways.into_iter().map(Workload::prepare).collect::<Result<Vec<_>>>()?;
    let mut rows = Vec::new();
    for command in COMMANDS {
        for workload in &mut workloads {
            // The first executions fill caches and make tables.
            workload.time(command, BATCH)?;
        }
        let mut times: Vec<Vec<_>> = vec![Vec::new(); workloads.len()];
        let mut left = runs;
        while left > 0 {
            let batch = left.min(BATCH);
            for (workload, times) in workloads.iter_mut().zip(&mut times) {
                times.extend(workload.time(command, batch)?);
            }
            left -= batch;
        }
        for (workload, times) in workloads.iter().zip(times) {
            rows.push(Row { command: command.name, way: workload.way, figures: Figures::of(times), to_swtpm: None });
        }
    }
    figures::compare(&mut rows);
    Ok(rows)
}
