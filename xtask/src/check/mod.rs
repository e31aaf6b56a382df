// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask check`: what must hold before a change is handed over, one file per check.

mod bare_metal;
mod coverage;
mod docs;
mod format;
mod headers;
mod layers;
mod lint;
mod locks;
mod panic_probe;
mod sizes;
mod threats;
mod unit_tests;
mod wasm;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::arguments::Arguments;
use crate::shell::Workspace;
use crate::source::Source;

/// One check: its name for `--only`, what it demands, and how it finds out.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&Repository) -> Outcome,
}

/// A line about what was looked at, or why it does not hold.
type Outcome = anyhow::Result<String>;

/// In order of how soon they answer.
const CHECKS: &[Check] = &[
    Check { name: "format", about: "cargo fmt changes nothing", run: format::check },
    Check { name: "headers", about: "each file says its licence and what it is about", run: headers::check },
    Check { name: "sizes", about: "no file above 800 lines, no function above 100", run: sizes::check },
    Check {
        name: "layers",
        about: "crates depend on what ARCHITECTURE allows, and name nothing it forbids",
        run: layers::check,
    },
    Check {
        name: "threats",
        about: "each row of docs/THREATS.md and docs/VULNERABILITIES.md names code and test",
        run: threats::check,
    },
    Check { name: "locks", about: "lock files name every dependency", run: locks::check },
    Check { name: "coverage", about: "docs/COVERAGE.md is what the engine's table says", run: coverage::check },
    Check { name: "lint", about: "clippy with the workspace's table finds nothing", run: lint::check },
    Check {
        name: "bare-metal",
        about: "no_std crates build for x86_64-unknown-none, debug and release",
        run: bare_metal::check,
    },
    Check { name: "wasm", about: "crates that verify compile for wasm32-unknown-unknown", run: wasm::check },
    Check { name: "panic-probe", about: "no panic is reachable in the linked TPM", run: panic_probe::check },
    Check { name: "docs", about: "rustdoc without a warning", run: docs::check },
    Check { name: "unit-tests", about: "tests inside the crates", run: unit_tests::check },
];

/// What the checks look at: the workspace, and its Rust files read once.
struct Repository {
    workspace: Workspace,
    sources: Vec<Source>,
}

impl Repository {
    fn read(workspace: Workspace) -> anyhow::Result<Self> {
        let mut sources = Vec::new();
        for path in workspace.rust_files()? {
            let text = std::fs::read_to_string(workspace.root().join(&path))?;
            sources.push(Source::new(path, text)?);
        }
        let test_modules: Vec<PathBuf> = sources.iter().flat_map(Source::test_module_paths).collect();
        for source in &mut sources {
            let module = source.path.with_extension("");
            source.is_test_file |= test_modules.iter().any(|test_module| module.starts_with(test_module));
        }
        Ok(Self { workspace, sources })
    }
}

/// Runs all checks, or those that `--only` and `--skip` leave; a failing one does not stop the others.
pub(crate) fn run(workspace: &Workspace, mut arguments: Arguments) -> anyhow::Result<()> {
    let list = arguments.flag("--list");
    let only = arguments.values("--only")?;
    let skip = arguments.values("--skip")?;
    arguments.finish()?;
    if let Some(unknown) = only.iter().chain(&skip).find(|name| CHECKS.iter().all(|check| check.name != **name)) {
        bail!("no check is called {unknown:?} (see --list)");
    }
    if list {
        for check in CHECKS {
            println!("{:<12} {}", check.name, check.about);
        }
        return Ok(());
    }

    let repository = Repository::read(Workspace::locate()?)?;
    debug_assert_eq!(repository.workspace.root(), workspace.root());
    let chosen = |check: &&Check| {
        let name = check.name.to_owned();
        (only.is_empty() || only.contains(&name)) && !skip.contains(&name)
    };
    let mut failed = Vec::new();
    for check in CHECKS.iter().filter(chosen) {
        eprintln!("── {}: {}", check.name, check.about);
        let start = Instant::now();
        match (check.run)(&repository) {
            Ok(summary) => eprintln!("   {} ok in {}: {summary}", check.name, seconds(start.elapsed())),
            Err(error) => {
                eprintln!("   {} FAILED in {}: {error:#}", check.name, seconds(start.elapsed()));
                failed.push(check.name);
            }
        }
    }
    if !failed.is_empty() {
        bail!("check failed: {}", failed.join(", "));
    }
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// The summary if there are no findings, else an error that lists them all.
fn none_or_all(findings: &[String], summary: String) -> Outcome {
    if findings.is_empty() {
        return Ok(summary);
    }
    bail!("{} findings\n   - {}", findings.len(), findings.join("\n   - "))
}
