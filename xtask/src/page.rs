// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask page`: the verifier's page in a real Chromium, over attested machines; its pictures are in `target/page`.

use crate::arguments::Arguments;
use crate::shell::{Workspace, run};

/// Runs the test, which says that it was skipped where there is no Chromium.
pub(crate) fn run_page(workspace: &Workspace, arguments: Arguments) -> anyhow::Result<()> {
    arguments.finish()?;
    let mut test = workspace.cargo();
    // The whole workspace, since Cargo would choose other features for one package.
    test.args(["test", "--workspace", "--bin", "evtpm", "demo::page_tests", "--", "--ignored", "--nocapture"]);
    run(&mut test)?;
    println!("pictures: {}", workspace.target().join("page").display());
    Ok(())
}
