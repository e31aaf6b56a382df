// SPDX-License-Identifier: Apache-2.0 OR MIT
//! docs/COVERAGE.md is what `cargo xtask coverage` writes.

use anyhow::{Context as _, bail};

use super::{Outcome, Repository};
use crate::coverage::{FILE, generate};

pub(super) fn check(repository: &Repository) -> Outcome {
    let written = std::fs::read_to_string(repository.workspace.path(FILE)).context(FILE)?;
    if written != generate(&repository.workspace)? {
        bail!("{FILE} is stale: run `cargo xtask coverage`");
    }
    Ok(format!("{} lines, as generated", written.lines().count()))
}
