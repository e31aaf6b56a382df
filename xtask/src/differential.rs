// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask differential`: the same commands to our TPM and to libtpms (testing/differential).

use crate::arguments::Arguments;
use crate::shell::{Workspace, run as run_command};

const PROGRAM: &str = "differential";

/// Builds the program and hands it what it was given.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let release = arguments.flag("--release");
    let survey = arguments.flag("--survey");
    let table = arguments.flag("--table");
    let commands: Option<u64> = arguments.value("--commands")?;
    let seed: Option<u64> = arguments.value("--seed")?;
    let steps: Option<String> = arguments.value("--steps")?;
    arguments.finish()?;

    let mut differential = if release {
        let mut cargo = workspace.cargo();
        cargo.args(["run", "--quiet", "--release", "--package", "evtpm-testing-differential", "--bin", PROGRAM, "--"]);
        cargo
    } else {
        workspace.command(workspace.programs(&[PROGRAM])?.join(PROGRAM))
    };
    differential.args(survey.then_some("--survey")).args(table.then_some("--table"));
    let numbers = [("--commands", commands.map(|number| number.to_string())), ("--seed", seed.map(|n| n.to_string()))];
    for (name, value) in numbers.into_iter().chain([("--steps", steps)]) {
        differential.args(value.map(|value| [name.to_owned(), value]).into_iter().flatten());
    }
    run_command(&mut differential)
}
