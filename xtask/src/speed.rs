// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask speed`: our TPM beside libtpms, and our server beside Debian's swtpm, with the bars that must be kept.

use std::path::Path;
use std::process::Command;

use crate::arguments::Arguments;
use crate::shell::{Workspace, is_installed, run as run_command};

/// Builds our server and the program that measures, optimised, and hands that what it was given; exit code 1 is a bar
/// that was missed.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let values = ["--rounds", "--keys", "--only", "--swtpm"]
        .map(|name| arguments.value::<String>(name).map(|value| value.map(|value| [name.to_owned(), value])));
    let values = values.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    arguments.finish()?;

    let build = |package, program| {
        let mut build = workspace.cargo();
        run_command(build.args(["build", "--quiet", "--release", "--package", package, "--bin", program]))?;
        Ok::<_, anyhow::Error>(workspace.target().join("release").join(program))
    };
    let server = build("evtpm-tpmd", "swtpm")?;
    let speed = build("evtpm-testing-differential", "speed")?;
    let mut speed = on_one_processor(workspace, &speed);
    speed.arg("--server").arg(server);
    run_command(speed.args(values.into_iter().flatten().flatten()))
}

/// Where the scheduler may choose, a request takes 8 microseconds or 45, by whether client and server happen to share a
/// processor. Here they always do.
fn on_one_processor(workspace: &Workspace, program: &Path) -> Command {
    if is_installed("taskset") {
        let mut command = workspace.command("taskset");
        command.args(["--cpu-list", "0"]).arg(program);
        return command;
    }
    println!("taskset is not installed: what is measured over sockets depends on where the scheduler puts it");
    workspace.command(program)
}
