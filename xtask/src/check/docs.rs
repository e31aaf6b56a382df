// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rustdoc builds every page without a warning: no broken link, no missing sentence.

use super::{Outcome, Repository};
use crate::shell::run;

pub(super) fn check(repository: &Repository) -> Outcome {
    let workspace = &repository.workspace;
    let mut doc = workspace.cargo();
    doc.args(["doc", "--quiet", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
    run(&mut doc)?;
    let libraries = workspace.packages()?.iter().filter(|package| package.has_library()).count();
    Ok(format!("{libraries} libraries"))
}
