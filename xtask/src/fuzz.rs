// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask fuzz`: the short form of fuzzing, without coverage, that any toolchain can do (testing/fuzz-targets).

use std::path::PathBuf;

use crate::arguments::Arguments;
use crate::shell::{Workspace, run as run_command};

/// Long enough for some ten thousand inputs of each target.
const SECONDS: u64 = 2;

/// Builds the program and runs it over all targets, or one.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let seconds = arguments.value("--seconds")?.unwrap_or(SECONDS);
    let target: Option<String> = arguments.value("--target")?;
    let input: Option<PathBuf> = arguments.value("--input")?;
    let seeds: Option<PathBuf> = arguments.value("--write-seeds")?;
    arguments.finish()?;
    anyhow::ensure!(input.is_none() || target.is_some(), "--input needs --target");

    let mut fuzz = workspace.cargo();
    fuzz.args(["run", "--quiet", "--package", "evtpm-fuzz-targets", "--bin", "short", "--"]);
    if let Some(folder) = seeds {
        return run_command(fuzz.arg("seeds").arg(std::path::absolute(folder)?));
    }
    fuzz.arg(seconds.to_string()).arg(workspace.target().join("fuzz")).args(target).args(input);
    run_command(&mut fuzz)
}
