// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Mutates the seeds of every target for some seconds, in one process and on any toolchain; keeps what makes one panic.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use evtpm_fuzz_targets::mutate::Mutator;
use evtpm_fuzz_targets::{TARGETS, Target};

const USAGE: &str = "usage: short SECONDS FOLDER [TARGET [FILE]] | short seeds FOLDER";
/// Names the sequence; a run of another length sees a prefix or continuation of the same inputs.
const SEQUENCE: u64 = 1;
/// Mutants that were accepted are mutated further, as long as there is room.
const POOL: usize = 512;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().context(USAGE)?;
    if first == "seeds" {
        return write_seeds(Path::new(&arguments.next().context(USAGE)?));
    }
    let seconds: u64 = first.parse().context(USAGE)?;
    let findings = PathBuf::from(arguments.next().context(USAGE)?);
    let name = arguments.next();
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|target| name.as_deref().is_none_or(|name| name == target.name)).collect();
    if chosen.is_empty() {
        bail!("no target is called {}", name.unwrap_or_default());
    }
    if let Some(file) = arguments.next() {
        let input = fs::read(&file).context(file)?;
        chosen.iter().for_each(|target| println!("{}: accepted: {}", target.name, (target.run)(&input)));
        return Ok(());
    }

    let mut failed = Vec::new();
    for target in &chosen {
        if let Err(error) = fuzz(target, Duration::from_secs(seconds), &findings) {
            println!("{:<20} FAILED: {error:#}", target.name);
            failed.push(target.name);
        }
    }
    if !failed.is_empty() {
        bail!("fuzzing failed: {}", failed.join(", "));
    }
    Ok(())
}

/// Writes the seeds of every target into a folder of its name, as libFuzzer wants a corpus.
fn write_seeds(folder: &Path) -> anyhow::Result<()> {
    for target in TARGETS {
        let corpus = folder.join(target.name);
        fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        let seeds = (target.seeds)();
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number:03}")), seed)?;
        }
        println!("{:<20} {} seeds", target.name, seeds.len());
    }
    Ok(())
}

fn fuzz(target: &Target, limit: Duration, findings: &Path) -> anyhow::Result<()> {
    let mut pool = (target.seeds)();
    for seed in &pool {
        try_one(target, seed, findings)?;
    }
    let mut mutator = Mutator::new(SEQUENCE);
    let (mut runs, mut accepted) = (0_u64, 0_u64);
    let start = Instant::now();
    while start.elapsed() < limit {
        let mut input = pool.get(mutator.below(pool.len())).cloned().unwrap_or_default();
        let other = mutator.below(pool.len());
        mutator.mutate(&mut input, pool.get(other).map_or(&[], Vec::as_slice));
        runs += 1;
        if try_one(target, &input, findings)? {
            accepted += 1;
            if pool.len() < POOL {
                pool.push(input);
            }
        }
    }
    let per_second = u128::from(runs) * 1000 / start.elapsed().as_millis().max(1);
    println!("{:<20} ok: {runs} inputs, {per_second} a second, {accepted} accepted", target.name);
    Ok(())
}

/// Runs the target once, and writes the input to a file if it panics.
fn try_one(target: &Target, input: &[u8], findings: &Path) -> anyhow::Result<bool> {
    let Ok(accepted) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) else {
        fs::create_dir_all(findings)?;
        let file = findings.join(format!("{}.bin", target.name));
        fs::write(&file, input)?;
        bail!("panicked; again with `cargo xtask fuzz --target {} --input {}`", target.name, file.display());
    };
    Ok(accepted)
}
