// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask sweep`: a thousand changed bits of everything that is verified (docs/EVIDENCE.md); tests try fewer.

use crate::arguments::Arguments;
use crate::shell::{Workspace, run as run_command};

/// The sweeps: of the world's evidence, of quotes by our own engine, of results that we sign.
const SWEEPS: [(&str, &str); 3] =
    [("evtpm-verify", "sweeps"), ("evtpm-testing-cross", "flipped_bit"), ("evtpm-result", "flipped_bit")];

pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let changes: u32 = arguments.value("--changes")?.unwrap_or(1000);
    arguments.finish()?;
    for (package, filter) in SWEEPS {
        let mut tests = workspace.cargo();
        tests.args(["test", "--package", package, "--lib", filter, "--", "--nocapture"]);
        run_command(tests.env("EVTPM_CHANGES", changes.to_string()))?;
    }
    Ok(())
}
