// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rustdoc builds every page without a warning: no broken link, no missing sentence.

use super::{Outcome, Repository};
use crate::shell::run;

pub(super) fn check(repository: &Repository) -> Outcome {
    let workspace = &repository.workspace;
    let mut doc = workspace.cargo();
    doc.args(["doc", "--quiet", "--workspace", "--no-deps", "--lib", "--bins"]).env("RUSTDOCFLAGS", "-D warnings");
    // With an example come the features of dev-dependencies, and so what the linter has compiled serves here too.
    doc.args(["--example", "coverage"]);
    run(&mut doc)?;
    let libraries = workspace.packages()?.iter().filter(|package| package.has_library()).count();
    Ok(format!("{libraries} libraries"))
}
