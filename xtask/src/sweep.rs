// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask sweep`: a thousand changed bits of everything that is verified (docs/EVIDENCE.md); tests try fewer.

use std::num::NonZeroUsize;

use crate::arguments::Arguments;
use crate::shell::{Workspace, run_tests};

/// The sweeps: of the world's evidence, of quotes by our own engine, of results that we sign.
const SWEEPS: [(&str, &str); 3] =
    [("evtpm-verify", "sweeps"), ("evtpm-testing-cross", "flipped_bit"), ("evtpm-result", "flipped_bit")];

pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let changes: Option<NonZeroUsize> = arguments.value("--changes")?;
    arguments.finish()?;
    let changes = changes.map_or(1000, NonZeroUsize::get).to_string();
    SWEEPS.into_iter().try_for_each(|(package, filter)| {
        let sweep = || {
            let mut tests = workspace.cargo();
            tests.args(["test", "--package", package, "--lib", filter]).env("EVTPM_CHANGES", &changes);
            tests
        };
        run_tests(sweep, &["--nocapture"])
    })
}
