// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask differential`: tells stories to our TPM and to libtpms until they have heard enough commands.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use evtpm_testing_differential::libtpms;
use evtpm_testing_differential::story::{Case, Pair, Told};
use evtpm_tpm_wire::commands::ALL_SPECS;

/// Commands of one story.
const STORY: u64 = 200;

/// Gives the same commands to our TPM and to libtpms, and compares the answers.
#[derive(Debug, Parser)]
struct Options {
    /// Commands to compare
    #[arg(long, default_value_t = 10_000)]
    commands: u64,
    /// Names the commands; each story has its own seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tells only the story of `--seed`, with these of its commands
    #[arg(long, value_delimiter = ',')]
    steps: Vec<u64>,
    /// Prints what came of each command
    #[arg(long)]
    table: bool,
    /// Goes on after a difference, and lists one of each kind
    #[arg(long)]
    survey: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => error.ends(),
    }
}

fn run(options: &Options) -> Result<ExitCode, libtpms::Error> {
    let mut pair = Pair::load()?;
    if !options.steps.is_empty() {
        pair.trace = true;
        let told = pair.tell(options.seed, options.steps.iter().copied())?;
        println!("{} commands, known differences {:?}", told.compared, told.known);
        return Ok(told.difference.map_or(ExitCode::SUCCESS, |case| {
            report(options.seed, &options.steps, &case);
            ExitCode::FAILURE
        }));
    }
    let start = Instant::now();
    let mut total = Told::default();
    let mut kinds: Vec<(u64, u64, Case)> = Vec::new();
    let mut seed = options.seed;
    while total.compared < options.commands {
        let told = pair.tell(seed, 0..STORY)?;
        add(&mut total, &told);
        if let Some(case) = told.difference {
            if !options.survey {
                let steps = minimise(&mut pair, seed, &case)?;
                let shortest = pair.tell(seed, steps.iter().copied())?.difference.unwrap_or(case);
                report(seed, &steps, &shortest);
                return Ok(ExitCode::FAILURE);
            }
            match kinds.iter_mut().find(|(_, _, other)| other.is_like(&case)) {
                Some((count, _, _)) => *count += 1,
                None => kinds.push((1, seed, *case)),
            }
        }
        seed = seed.wrapping_add(1);
    }
    summary(&total, start.elapsed().as_secs_f64());
    if options.table {
        table(&total);
    }
    kinds.sort_by_key(|(count, _, _)| std::cmp::Reverse(*count));
    for (count, seed, case) in &kinds {
        println!("{count:6} {} (--seed {seed}, command {}, {:?})", line(case), case.step, case.changes);
    }
    Ok(if kinds.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn add(total: &mut Told, told: &Told) {
    total.compared += told.compared;
    for (name, count) in &told.known {
        *total.known.entry(name).or_default() += count;
    }
    for (code, tally) in &told.commands {
        total.commands.entry(*code).or_default().add(tally);
    }
}

/// Leaves commands out, in halves and then one by one, as long as the same difference remains.
fn minimise(pair: &mut Pair, seed: u64, case: &Case) -> Result<Vec<u64>, libtpms::Error> {
    let mut steps: Vec<u64> = (0..=case.step).collect();
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        while at < steps.len() {
            let without: Vec<u64> = steps
                .iter()
                .enumerate()
                .filter(|(number, _)| !(at..at + size).contains(number))
                .map(|(_, step)| *step)
                .collect();
            let told = pair.tell(seed, without.iter().copied())?;
            if told.difference.is_some_and(|other| other.is_like(case)) {
                steps = without;
            } else {
                at += size;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    Ok(steps)
}

fn line(case: &Case) -> String {
    let mut line = format!("{}: libtpms {}, ours {}", case.code, case.codes.theirs, case.codes.ours);
    if let Some((field, values)) = &case.field {
        line += &format!(", field {field}: {} / {}", shown(&values.theirs), shown(&values.ours));
    }
    line
}

fn shown(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.chars().all(|char| !char.is_control()) => text.to_owned(),
        _ => hex::encode(bytes),
    }
}

fn report(seed: u64, steps: &[u64], case: &Case) {
    let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
    println!("{}", line(case));
    println!("command  libtpms {}", hex::encode(&case.commands.theirs));
    println!("         ours    {}", hex::encode(&case.commands.ours));
    println!("response libtpms {}", hex::encode(&case.answers.theirs));
    println!("         ours    {}", hex::encode(&case.answers.ours));
    println!("changed: {:?}", case.changes);
    println!("again: cargo xtask differential --seed {seed} --steps {}", steps.join(","));
}

fn summary(total: &Told, seconds: f64) {
    #[expect(clippy::cast_precision_loss, reason = "a rate to be read by people")]
    let rate = total.compared as f64 / seconds;
    let done: u64 = total.commands.values().map(|tally| tally.done).sum();
    println!(
        "{} commands compared in {seconds:.0} s ({rate:.0} a second); {done} of them both TPMs did, of {} codes",
        total.compared,
        total.commands.values().filter(|tally| tally.done > 0).count(),
    );
    let known: BTreeMap<_, _> = total.known.iter().collect();
    for (name, count) in known {
        println!("{count:8} {name}");
    }
}

/// What both did, what both refused alike, and where the codes differ, of each command that is one.
fn table(total: &Told) {
    println!("both did  refused   differ");
    for spec in ALL_SPECS {
        let tally = total.commands.get(&spec.code.0).copied().unwrap_or_default();
        println!("{:8} {:8} {:8} {}", tally.done, tally.refused, tally.differed, spec.code);
    }
}
