// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask foreign`: other people's test suites and programs, run against ours.

mod crate_source;
mod keylime;
mod servers;
mod tss_esapi;

use anyhow::Context as _;

use crate::arguments::Arguments;
use crate::shell::Workspace;

/// A suite: its name, what `--help` says, and what it does.
struct Suite {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, Arguments) -> anyhow::Result<()>,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "tss-esapi",
        about: "the integration tests that the crate tss-esapi ships  [--server ours|debian] [--jobs N] [--only TEXT]",
        run: tss_esapi::run,
    },
    Suite {
        name: "keylime",
        about: "the Python Keylime's registrar, verifier and tenant, against our agent and our TPM  [--only TEXT]",
        run: keylime::run,
    },
];

/// Runs one suite.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let name = arguments.next_word().with_context(usage)?;
    if name == "--help" || name == "-h" {
        print!("{}", usage());
        return Ok(());
    }
    let suite = SUITES.iter().find(|suite| suite.name == name);
    (suite.with_context(|| format!("no suite is called {name:?}\n{}", usage()))?.run)(workspace, arguments)
}

fn usage() -> String {
    let mut text = String::from("usage: cargo xtask foreign SUITE\n\n");
    for suite in SUITES {
        text.push_str(&format!("  {:<12} {}\n", suite.name, suite.about));
    }
    text
}
