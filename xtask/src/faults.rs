// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask faults`: the fault tests with their large figures (docs/FAULTS.md).

use crate::arguments::Arguments;
use crate::shell::{Workspace, run_tests};

/// Runs them one after the other, in a release build.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let only: Option<String> = arguments.value("--only")?;
    let is_short = arguments.flag("--short");
    arguments.finish()?;
    let faults = || {
        let mut tests = workspace.cargo();
        tests.args(["test", "--release", "--package", "evtpm", "--test", "faults"]).args(&only);
        tests.env("EVTPM_FAULTS", if is_short { "short" } else { "full" });
        tests
    };
    run_tests(faults, &["--test-threads=1", "--nocapture"])
}
