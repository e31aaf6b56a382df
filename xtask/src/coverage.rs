// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask coverage`: which commands the TPM has, from its own table, as docs/COVERAGE.md.

use anyhow::Context as _;

use crate::arguments::Arguments;
use crate::shell::{Workspace, output, run as run_command};

/// The generated document.
pub(crate) const FILE: &str = "docs/COVERAGE.md";

/// Writes the document; with `--print` it goes to standard output alone.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let print = arguments.flag("--print");
    arguments.finish()?;
    let document = generate(workspace)?;
    if print {
        print!("{document}");
        return Ok(());
    }
    std::fs::write(workspace.path(FILE), &document).context(FILE)?;
    let summary = document.lines().find(|line| line.contains(" codes of ")).unwrap_or_default();
    println!("{FILE}: {}", summary.split('.').next().unwrap_or_default());
    Ok(())
}

/// Has the engine's example print the document.
pub(crate) fn generate(workspace: &Workspace) -> anyhow::Result<String> {
    run_command(workspace.cargo().args(["build", "--quiet", "--workspace", "--example", "coverage"]))?;
    output(&mut workspace.command(workspace.target().join("debug/examples/coverage")))
}
