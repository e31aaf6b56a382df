// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo fmt` changes nothing.

use super::{Outcome, Repository};
use crate::shell::run;

pub(super) fn check(repository: &Repository) -> Outcome {
    run(repository.workspace.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(format!("{} files", repository.sources.len()))
}
