// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask speed`: our TPM beside libtpms, and our server beside Debian's swtpm, with the bars that must be kept.

use crate::arguments::Arguments;
use crate::shell::{Workspace, run as run_command};

/// Builds our server and the program that measures, optimised, and hands that what it was given; exit code 1 is a bar
/// that was missed.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let values = ["--rounds", "--keys", "--only", "--swtpm"]
        .map(|name| arguments.value::<String>(name).map(|value| value.map(|value| [name.to_owned(), value])));
    let values = values.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    arguments.finish()?;

    run_command(workspace.cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "evtpm-tpmd",
        "--bin",
        "swtpm",
    ]))?;
    let mut speed = workspace.cargo();
    speed.args(["run", "--quiet", "--release", "--package", "evtpm-testing-differential", "--bin", "speed", "--"]);
    speed.arg("--server").arg(workspace.target().join("release/swtpm"));
    run_command(speed.args(values.into_iter().flatten().flatten()))
}
