// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask fuzz`: the short form of fuzzing, without coverage, that any toolchain can do (testing/fuzz-targets); with
//! `--minutes`, libFuzzer.

mod coverage;

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use crate::arguments::Arguments;
use crate::shell::{Workspace, run as run_command};

/// Long enough for some ten thousand inputs of each target.
const SECONDS: u64 = 2;

/// Builds the program and runs it over all targets, or some.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let seconds = arguments.value("--seconds")?;
    let minutes: Option<NonZeroU64> = arguments.value("--minutes")?;
    let mut targets: Vec<String> = arguments.values("--target")?;
    let input: Option<PathBuf> = arguments.value("--input")?;
    let seeds: Option<PathBuf> = arguments.value("--write-seeds")?;
    if minutes.is_some() {
        targets.extend(std::iter::from_fn(|| arguments.next_word()));
    }
    arguments.finish()?;
    anyhow::ensure!(input.is_none() || targets.len() == 1, "--input needs one --target");
    anyhow::ensure!(seconds.is_none() || minutes.is_none(), "either --seconds or --minutes");

    if let Some(minutes) = minutes {
        return coverage::run(workspace, minutes, &targets);
    }
    if let Some(folder) = seeds {
        return write_seeds(workspace, &folder);
    }
    let one = |target: Option<&String>| {
        let folder = workspace.target().join("fuzz");
        let seconds = seconds.unwrap_or(SECONDS).to_string();
        run_command(short(workspace)?.arg(seconds).arg(folder).args(target).args(&input))
    };
    if targets.is_empty() { one(None) } else { targets.iter().try_for_each(|target| one(Some(target))) }
}

/// Writes the seeds of every target into a folder of its name below `folder`.
fn write_seeds(workspace: &Workspace, folder: &Path) -> anyhow::Result<()> {
    run_command(short(workspace)?.arg("seeds").arg(std::path::absolute(folder)?))
}

fn short(workspace: &Workspace) -> anyhow::Result<std::process::Command> {
    Ok(workspace.command(workspace.programs(&["short"])?.join("short")))
}
