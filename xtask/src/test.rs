// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask test`: every test of the workspace, then every example in its documentation.

use crate::arguments::Arguments;
use crate::shell::{Workspace, is_installed, run as run_command};

/// Runs the tests with nextest where it is installed (it has no doc tests, so Cargo runs those).
pub(crate) fn run(workspace: &Workspace, arguments: Arguments) -> anyhow::Result<()> {
    let passed_on = arguments.finish()?;
    let mut tests = workspace.cargo();
    if is_installed("cargo-nextest") {
        tests.args(["nextest", "run", "--workspace", "--no-tests", "pass", "--no-fail-fast"]).args(&passed_on);
    } else {
        tests
            .args(["test", "--workspace", "--lib", "--bins", "--tests", "--examples", "--no-fail-fast", "--"])
            .args(&passed_on);
    }
    run_command(&mut tests)?;
    // With `--doc` Cargo would choose other features, and compile a hundred libraries a second time. Only an example in
    // the documentation has such a name.
    run_command(workspace.cargo().args(["test", "--workspace", "--quiet", "--", "(line "]))
}
