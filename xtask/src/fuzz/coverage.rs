// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask fuzz --minutes N [TARGET…]`: libFuzzer over the same targets, for as long as one likes, on the stable toolchain.
//!
//! The flags are those that cargo-fuzz gives without a sanitizer: there is no `unsafe` in what is fuzzed. `cargo +nightly fuzz run
//! TARGET` is for whoever wants one.

use std::fs::{self, File};
use std::num::NonZeroU64;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

use crate::shell::{Workspace, output, run as run_command};

/// Coverage for libFuzzer to find its way by, and what a debug build checks.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks";
/// The triple is named, so that the flags are not for build scripts.
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// The longest input; no structure needs more to reach all of its parser.
const MAX_LENGTH: &str = "-max_len=65536";
/// Bounds for one input: more is a finding.
const LIMITS: [&str; 2] = ["-timeout=20", "-rss_limit_mb=2048"];

/// What libFuzzer says at the end of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Statistics {
    executions: u64,
    per_second: u64,
}

/// Builds the targets, seeds their corpora and runs each for so many minutes.
pub(super) fn run(workspace: &Workspace, minutes: NonZeroU64, chosen: &[String]) -> anyhow::Result<()> {
    let all = targets(workspace)?;
    if let Some(unknown) = chosen.iter().find(|name| !all.contains(name)) {
        bail!("no target is called {unknown}; there are {}", all.join(", "));
    }
    let names: Vec<&String> = all.iter().filter(|name| chosen.is_empty() || chosen.contains(name)).collect();
    let folder = workspace.target().join("fuzz");
    let corpus = folder.join("corpus");
    super::write_seeds(workspace, &corpus)?;
    let build = folder.join("build");
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--release", "--target", TRIPLE, "--manifest-path", "fuzz/Cargo.toml", "--target-dir"]);
    cargo.arg(&build).args(names.iter().flat_map(|name| ["--bin", name]));
    run_command(cargo.env("RUSTFLAGS", FLAGS))?;

    println!("{:<22} {:>14} {:>12}", "target", "executions", "a second");
    let (mut total, mut failed) = (0_u64, Vec::new());
    for name in names {
        let log = folder.join(format!("{name}.log"));
        let program = build.join(TRIPLE).join("release").join(name);
        let mut fuzzer = workspace.command(&program);
        let artifacts = format!("-artifact_prefix={}/{name}-", folder.display());
        fuzzer.arg(corpus.join(name)).args([MAX_LENGTH, &artifacts, "-print_final_stats=1"]).args(LIMITS);
        fuzzer.arg(format!("-max_total_time={}", minutes.get().saturating_mul(60))).stderr(File::create(&log)?);
        let is_good = fuzzer.status().with_context(|| program.display().to_string())?.success();
        let Statistics { executions, per_second } = statistics(&String::from_utf8_lossy(&fs::read(&log)?));
        total += executions;
        let remark = if is_good { String::new() } else { format!("  FAILED: see {}", log.display()) };
        println!("{name:<22} {executions:>14} {per_second:>12}{remark}");
        failed.extend((!is_good).then(|| name.clone()));
    }
    println!("{:<22} {total:>14}", "total");
    ensure!(failed.is_empty(), "findings in {}", failed.join(", "));
    Ok(())
}

/// The targets that libFuzzer has programs for.
fn targets(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let listing = output(workspace.command("git").args(["ls-files", "--", "fuzz/fuzz_targets/*.rs"]))?;
    let stem = |path: &str| Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(listing.lines().filter_map(stem).collect())
}

fn statistics(log: &str) -> Statistics {
    let number = |name: &str| {
        let line = log.lines().rev().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok()).unwrap_or(0)
    };
    Statistics {
        executions: number("stat::number_of_executed_units:"),
        per_second: number("stat::average_exec_per_sec:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_a_log_say_how_much_was_tried() {
        let log = "#2 INITED\nDone 12 runs in 1 second(s)\nstat::number_of_executed_units: 1234\n\
                   stat::average_exec_per_sec:     617\nstat::new_units_added:          3\n";
        assert_eq!(statistics(log), Statistics { executions: 1234, per_second: 617 });
        assert_eq!(statistics("==1== ERROR"), Statistics::default());
    }
}
