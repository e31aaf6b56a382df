// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo fmt` changes nothing.

use super::{Outcome, Repository};
use crate::shell::run;

pub(super) fn check(repository: &Repository) -> Outcome {
    let workspace = &repository.workspace;
    run(workspace.cargo().args(["fmt", "--all", "--check"]))?;
    // A workspace of its own, which `--all` does not reach.
    run(workspace.cargo().args(["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]))?;
    Ok(format!("{} files", repository.sources.len()))
}
