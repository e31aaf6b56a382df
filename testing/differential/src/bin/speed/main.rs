// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our TPM beside others, command by command in turn, so that both meet the same load: the engine beside libtpms in one
//! process, and our server beside Debian's swtpm, each in a process of its own behind a unix socket.
//!
//! What is measured is bytes in to bytes out. A bar that is missed is exit code 1; without libtpms or swtpm on the
//! machine the comparison is skipped, and says so.

mod commands;
mod figures;
mod fixture;
mod ways;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use evtpm_testing_differential::both::Both;
use evtpm_testing_differential::libtpms::{self, Libtpms};

use commands::{MEASURED, Makes, Measured, create_rsa, flush};
use figures::{HEAD, Times, line, ratio};
use fixture::{Fixture, ask};
use ways::{Engine, Server, Way};

/// Commands that one side executes before it is the other's turn: few enough to share the load, enough to be warm.
const BATCH: u32 = 8;

/// How often a command that is below its bar is timed before it counts, each time with TPMs that are begun anew: whether the
/// scheduler answers a process in 8 or in 9 microseconds is chance, and stays so as long as the process lives. What is slower is
/// slower in all of them.
const ATTEMPTS: u32 = 3;

/// RSA keys may take us so many times as long: there is no assembly yet.
const RSA_BAR: f64 = 1.6;

/// Over a socket most of a short command is the kernel's; what its scheduling adds differs by more than this.
const SOCKET_BAR: f64 = 0.95;

/// Times every common command, ours and others' in turn.
#[derive(Debug, Parser)]
struct Options {
    /// How often each command is executed on each side.
    #[arg(long, default_value_t = 304)]
    rounds: u32,
    /// RSA-2048 keys, each with another `unique`.
    #[arg(long, default_value_t = 100)]
    keys: u32,
    /// Only commands whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Our server, to measure it beside another one.
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    /// The other server.
    #[arg(long, value_name = "PROGRAM", default_value = "swtpm")]
    swtpm: PathBuf,
    /// Leave out the comparison in process.
    #[arg(long)]
    no_engine: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => {
            println!("every bar that was measured is kept");
            ExitCode::SUCCESS
        }
        Ok(false) => {
            println!("a bar is missed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn run(options: &Options) -> Result<bool> {
    let mut kept = true;
    if !options.no_engine {
        kept &= in_process(options)?;
    }
    match &options.server {
        Some(program) => kept &= over_sockets(options, program)?,
        None => println!("over sockets: skipped, --server names no program of ours"),
    }
    Ok(kept)
}

/// A TPM and what it was filled with.
struct Side {
    way: Box<dyn Way>,
    fixture: Fixture,
}

impl Side {
    fn prepare(mut way: Box<dyn Way>) -> Result<Self> {
        let fixture = Fixture::prepare(&mut *way)?;
        Ok(Self { way, fixture })
    }

    /// Times one execution; what it made is gone afterwards.
    fn time(&mut self, measured: &Measured, number: u32) -> Result<Duration> {
        let mut command = (measured.bytes)(&self.fixture, number);
        let mut answer = Vec::with_capacity(4096);
        let start = Instant::now();
        self.way.send(&mut command, &mut answer)?;
        let time = start.elapsed();
        ensure!(answer.get(6..10) == Some(&[0; 4]), "{} was answered by {answer:02x?}", measured.name);
        if measured.makes == Makes::Handle {
            ask(&mut *self.way, &flush(answer.get(10..14).context("a response without handle")?))?;
        }
        Ok(time)
    }
}

fn in_process(options: &Options) -> Result<bool> {
    match Libtpms::load() {
        Ok(_) => {}
        Err(error @ libtpms::Error::NotInstalled(_)) => {
            println!("in process: skipped, {error}");
            return Ok(true);
        }
        Err(error) => return Err(error.into()),
    }
    println!("in process, libtpms and our engine\n{HEAD}");
    let begin = || -> Result<Both<Side>> {
        let mut theirs = Libtpms::load()?;
        theirs.manufacture()?;
        Ok(Both { theirs: Side::prepare(Box::new(theirs))?, ours: Side::prepare(Box::new(Engine::manufacture()?))? })
    };
    let mut kept = compare(options, begin, |measured| (measured.bar, ""))?;
    if options.keys > 0 && "RSA-2048 key".contains(&options.only) {
        kept &= rsa_keys(options.keys, &mut begin()?)?;
    }
    Ok(kept)
}

fn over_sockets(options: &Options, program: &std::path::Path) -> Result<bool> {
    if let Err(error) = Server::start(&options.swtpm, "theirs") {
        println!("over sockets: skipped, {error:#}");
        return Ok(true);
    }
    println!("over unix sockets, {} and our server\n{HEAD}", options.swtpm.display());
    let begin = || -> Result<Both<Side>> {
        let theirs = Server::start(&options.swtpm, "theirs")?;
        let ours = Server::start(program, "ours")?;
        Ok(Both { theirs: Side::prepare(Box::new(theirs))?, ours: Side::prepare(Box::new(ours))? })
    };
    compare(options, begin, |measured| match measured.excuse {
        None => (Some(SOCKET_BAR), ""),
        Some(reason) => (None, reason),
    })
}

/// Times the commands and says whether every bar is kept: so many times as long must the other side take. Where there is
/// none, `bar` may say why.
fn compare(
    options: &Options,
    begin: impl Fn() -> Result<Both<Side>>,
    bar: fn(&Measured) -> (Option<f64>, &'static str),
) -> Result<bool> {
    let mut kept = true;
    let mut sides = begin()?;
    for measured in MEASURED.iter().filter(|measured| measured.name.contains(&options.only)) {
        let (bar, reason) = bar(measured);
        for attempt in 1..=ATTEMPTS {
            if attempt > 1 {
                // The old ones end first: they own the folders, and libtpms is one in a process.
                drop(sides);
                sides = begin()?;
            }
            let times = time_both(options, &mut sides, measured)?;
            let missed = bar.is_some_and(|bar| ratio(&times) < bar);
            let verdict = match bar {
                None if reason.is_empty() => String::new(),
                None => format!("  (no bar: {reason})"),
                Some(bar) if !missed => format!("  (bar {bar})"),
                Some(bar) if attempt < ATTEMPTS => format!("  (bar {bar}: once more)"),
                Some(bar) => format!("  (bar {bar}: MISSED)"),
            };
            println!("{}{verdict}", line(measured.name, &times));
            if !missed {
                break;
            }
            kept &= attempt < ATTEMPTS;
        }
    }
    Ok(kept)
}

/// Times both sides in turn.
fn time_both(options: &Options, sides: &mut Both<Side>, measured: &Measured) -> Result<Both<Times>> {
    let mut times = Both { theirs: Vec::new(), ours: Vec::new() };
    // The first executions fill caches and make tables.
    for number in 0..BATCH {
        sides.theirs.time(measured, number)?;
        sides.ours.time(measured, number)?;
    }
    for batch in 0..options.rounds.div_ceil(BATCH) {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        for number in numbers.clone() {
            times.theirs.push(sides.theirs.time(measured, number)?);
        }
        for number in numbers {
            times.ours.push(sides.ours.time(measured, number)?);
        }
    }
    Ok(times.map(|times| Times::new(times)))
}

/// Times the creation of RSA keys; how long one takes is chance, so that only the mean of many says anything.
fn rsa_keys(keys: u32, sides: &mut Both<Side>) -> Result<bool> {
    let measured = Measured {
        name: "RSA-2048 key",
        bar: None,
        excuse: None,
        makes: Makes::Handle,
        bytes: |_, number| create_rsa(number),
    };
    let mut times = Both { theirs: Vec::new(), ours: Vec::new() };
    for number in 0..keys {
        times.theirs.push(sides.theirs.time(&measured, number)?);
        times.ours.push(sides.ours.time(&measured, number)?);
    }
    let mean = times.map(|times| Times::new(times).mean() / 1e3);
    let factor = mean.ours / mean.theirs;
    println!(
        "RSA-2048 key, mean of {keys}: libtpms {:.1} ms, ours {:.1} ms, {factor:.2} times as long (bar {RSA_BAR})",
        mean.theirs, mean.ours
    );
    Ok(factor <= RSA_BAR)
}
