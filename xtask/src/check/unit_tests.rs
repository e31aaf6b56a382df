// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests inside the crates pass (`cargo xtask test` runs those between crates and the examples too).

use super::{Outcome, Repository};
use crate::shell::{is_installed, run};
use crate::source::FunctionKind;

pub(super) fn check(repository: &Repository) -> Outcome {
    let mut tests = repository.workspace.cargo();
    if is_installed("cargo-nextest") {
        tests.args(["nextest", "run", "--workspace", "--lib", "--bins", "--no-tests", "pass", "--cargo-quiet"]);
        tests.args(["--status-level", "fail", "--final-status-level", "fail"]);
    } else {
        tests.args(["test", "--quiet", "--workspace", "--lib", "--bins"]);
    }
    run(&mut tests)?;
    let count: usize = repository
        .sources
        .iter()
        .filter(|source| source.path.components().any(|part| part.as_os_str() == "src"))
        .map(|source| source.functions.iter().filter(|function| function.kind == FunctionKind::Test).count())
        .sum();
    Ok(format!("{count} tests"))
}
