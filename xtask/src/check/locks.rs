// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lock files name every dependency: what is built tomorrow is what was built today.

use super::{Outcome, Repository};
use crate::shell::output;

/// The workspace, and the programs for libFuzzer, which are none of its members.
const MANIFESTS: &[&str] = &["Cargo.toml", "fuzz/Cargo.toml"];

pub(super) fn check(repository: &Repository) -> Outcome {
    for manifest in MANIFESTS {
        let mut cargo = repository.workspace.cargo();
        output(cargo.args(["metadata", "--quiet", "--locked", "--format-version", "1", "--manifest-path", manifest]))?;
    }
    Ok(format!("{} lock files", MANIFESTS.len()))
}
