// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask deny`: licences, sources and banned crates (deny.toml), with cargo-deny.

use anyhow::bail;

use crate::arguments::Arguments;
use crate::shell::{Workspace, is_installed, run as run_command};

/// Runs cargo-deny. It is no part of `check`, since building it takes longer than everything else together.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let install = arguments.flag("--install");
    arguments.finish()?;
    if !is_installed("cargo-deny") {
        if !install {
            bail!("cargo-deny is not installed: `cargo xtask deny --install` builds it (some minutes)");
        }
        run_command(workspace.cargo().args(["install", "--locked", "cargo-deny"]))?;
    }
    // The advisory database is not a crate registry: whoever has a network for it runs `cargo deny check advisories`.
    run_command(workspace.cargo().args([
        "deny",
        "--workspace",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]))
}
