// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `evtpm bench fleet`: what a verifier in a process of its own costs for many machines, beside Keylime's.

mod load;
mod plot;
mod registrations;
mod rows;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use evtpm_fleet::{Machine, Round, ServerProcess, Setup, World};
use serde_json::json;

use self::load::Load;
use self::rows::{Row, table};
use crate::Outcome;

/// Said wherever the figures are.
const NOTE: &str = "Keylime's figures are fixed ones of another run: its Python verifier 7.14.3 with its Rust agent and swtpm, on two loaded Zen 4 cores (docs/BENCHMARKS.md).";

/// Files that the two policies accept.
const POLICIES: (u32, u32) = (1_000, 20_000);

/// Entries that IMA's list grows by in a full round.
const GROWTH: u32 = 10;

#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// Machines that attest in turn.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    machines: u32,
    /// Connections that they share; each carries one round at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=200))]
    connections: u32,
    /// Rounds of each kind.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Registrations of boots, each with a report of its own; after them the memory is looked at.
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..))]
    registrations: u32,
    /// Try everything out with the smallest figures: nothing of what is printed then means anything.
    #[arg(long, conflicts_with_all = ["machines", "connections", "rounds", "registrations"])]
    short: bool,
    /// More options of the verifier, for example --options=--verify-with=rust.
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    options: Vec<String>,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Draw the figure into this SVG file as well.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// How much of everything is done.
#[derive(Debug, Clone, Copy)]
struct Amounts {
    machines: u32,
    connections: u32,
    rounds: u32,
    registrations: u32,
    /// First attestations, and rounds with the whole logs.
    whole: u32,
    /// Registrations of Keylime's agents.
    agents: u32,
    /// Entries of the long list.
    long_list: u32,
}

impl FleetArgs {
    const fn amounts(&self) -> Amounts {
        if self.short {
            return Amounts {
                machines: 3,
                connections: 2,
                rounds: 12,
                registrations: 4,
                whole: 2,
                agents: 2,
                long_list: 300,
            };
        }
        let Self { machines, connections, rounds, registrations, .. } = *self;
        Amounts { machines, connections, rounds, registrations, whole: 100, agents: 1_000, long_list: POLICIES.1 }
    }
}

pub(crate) fn run(args: &FleetArgs) -> Result<Outcome> {
    let mut name = [0; 8];
    getrandom::fill(&mut name)?;
    let directory = std::env::temp_dir().join(format!("evtpm-fleet-{}", crate::output::hex(&name)));
    let runtime = tokio::runtime::Runtime::new()?;
    let measured = runtime.block_on(measure(args, &directory));
    // Only files that the verifiers made; nothing is lost if they stay.
    drop(std::fs::remove_dir_all(&directory));
    let rows = measured?;

    if let Some(path) = &args.plot {
        std::fs::write(path, plot::draw(&rows, NOTE)).with_context(|| format!("writing {}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let figures: Vec<_> = rows.iter().map(Row::to_json).collect();
        let Amounts { machines, connections, rounds, registrations, .. } = args.amounts();
        let document = json!({
            "machines": machines, "connections": connections, "rounds": rounds, "registrations": registrations,
            "short": args.short, "rows": figures, "note": NOTE,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    } else {
        write!(out, "{}", table(&rows))?;
        writeln!(out, "{NOTE}")?;
    }
    // The short form measures nothing, so that no bar can be missed.
    let missed = !args.short && rows.iter().any(|row| row.is_met() == Some(false));
    Ok(if missed { Outcome::NotTrusted } else { Outcome::Good })
}

async fn measure(args: &FleetArgs, directory: &Path) -> Result<Vec<Row>> {
    let amounts = args.amounts();
    let (small, large) = POLICIES;
    let mut rows = small_policy(args, amounts, &directory.join("small"), small).await?;
    rows.extend(large_policy(args, amounts, &directory.join("large"), large).await?);
    rows.extend(memory(args, amounts, &directory.join("memory"), small).await?);
    Ok(rows)
}

fn start(args: &FleetArgs, directory: &Path, world: &World) -> Result<ServerProcess> {
    let program = std::env::current_exe().context("finding this executable")?;
    let setup = Setup { keylime: true, options: args.options.clone(), ..Setup::new(program, directory) };
    setup.believing(world)?.start()
}

/// Boots machines that have opened a few files, and deals them out to connections in the steady state.
async fn fleet(server: &ServerProcess, world: &World, amounts: Amounts, files: u32) -> Result<Vec<Vec<Machine>>> {
    let boot = |number| Machine::boot(world, format!("machine-{number}"), files, GROWTH);
    let machines = (0..amounts.machines).map(boot).collect::<Result<Vec<_>>>()?;
    let machines = load::registered(server, machines).await?;
    Ok(load::lanes(machines, amounts.connections as usize))
}

async fn small_policy(args: &FleetArgs, amounts: Amounts, directory: &Path, files: u32) -> Result<Vec<Row>> {
    let world = World::new(files)?;
    let server = start(args, directory, &world)?;
    let mut lanes = fleet(&server, &world, amounts, files).await?;
    let rounds = amounts.rounds;
    let kept = Load { rounds, round: Round::default(), reconnect: false, rate: None };
    let growing = Load { round: Round { files: GROWTH, ..Round::default() }, ..kept };
    let steady = load::run(&server, &mut lanes, kept).await?;
    let full = load::run(&server, &mut lanes, growing).await?;
    let reconnecting = load::run(&server, &mut lanes, Load { reconnect: true, ..growing }).await?;
    let signed = Round { result: true, ..growing.round };
    let signed = load::run(&server, &mut lanes, Load { round: signed, ..growing }).await?;
    let half = Load { rate: Some(full.rate / 2.0), rounds: rounds.div_ceil(2), ..growing };
    let half = load::run(&server, &mut lanes, half).await?;

    let mut lone = load::lanes(load::registered(&server, vec![Machine::boot(&world, "boot-log", files, 0)?]).await?, 1);
    let base = load::run(&server, &mut lone, Load { rounds: amounts.whole * 10, ..kept }).await?;
    let whole = Load { rounds: amounts.whole * 10, round: Round { whole: true, ..Round::default() }, ..kept };
    let whole = load::run(&server, &mut lone, whole).await?;
    let (asked, both) = registrations::keylime(&server, amounts.agents).await?;
    Ok(vec![
        Row::cpu("steady round, policy of 1,000 files", steady.cpu).keylime(19.6).at_most(19.6 / 40.0),
        Row::cpu("full round: 10 new IMA entries, recorded", full.cpu).at_most(0.35),
        Row::cpu("the same on a connection of its own", reconnecting.cpu),
        Row::cpu("full round with a signed result", signed.cpu),
        Row::cpu("boot log of 38 KB in a round", whole.cpu.saturating_sub(base.cpu))
            .keylime(39.6)
            .at_most(39.6 / 200.0),
        Row::cpu("Keylime registration, RSA-2048 EK and AK", asked).keylime(13.0).at_most(13.0 / 30.0),
        Row::cpu("the same with its activation", both),
        Row::count("full rounds a second, as many as there can be", full.rate),
        Row::wall("99 of 100 full rounds, at half of that", half.quantile(990)).at_most(50.0),
        Row::wall("half of the rounds, at half of that", half.quantile(500)),
    ])
}

async fn large_policy(args: &FleetArgs, amounts: Amounts, directory: &Path, files: u32) -> Result<Vec<Row>> {
    let world = World::new(files)?;
    let server = start(args, directory, &world)?;
    let mut lanes = fleet(&server, &world, amounts, files).await?;
    let kept = Load { rounds: amounts.rounds, round: Round::default(), reconnect: false, rate: None };
    let steady = load::run(&server, &mut lanes, kept).await?;
    let machine = Machine::boot(&world, "long-list", files, amounts.long_list)?;
    let mut lone = load::lanes(load::registered(&server, vec![machine]).await?, 1);
    let whole = Load { rounds: amounts.whole, round: Round { whole: true, ..Round::default() }, ..kept };
    let first = load::run(&server, &mut lone, whole).await?;
    Ok(vec![
        Row::cpu("steady round, policy of 20,000 files", steady.cpu).keylime(95.8).at_most(95.8 / 100.0),
        Row::cpu("first attestation, 20,000 IMA entries", first.cpu).keylime(1480.0).at_most(1500.0 / 50.0),
    ])
}

async fn memory(args: &FleetArgs, amounts: Amounts, directory: &Path, files: u32) -> Result<Vec<Row>> {
    let world = World::new(files)?;
    let server = start(args, directory, &world)?;
    let registered = registrations::boots(&server, &world, amounts.registrations, amounts.connections).await?;
    Ok(vec![
        Row::cpu("registration with an SNP report", registered.cpu),
        Row::memory(format!("memory after {} registrations", amounts.registrations), registered.memory).at_most(500.0),
    ])
}
