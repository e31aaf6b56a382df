// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Programs of this machine that are started with a path and go on by themselves.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Starts a program with a path, and does `then` when it has ended.
pub(super) fn start(program: &Path, path: &Path, then: impl FnOnce() + Send + 'static) -> Result<()> {
    let starting = || format!("starting {}", program.display());
    let mut child = Command::new(program).arg(path).spawn().with_context(starting)?;
    // Nobody waits for the program but this thread.
    std::thread::spawn(move || {
        drop(child.wait());
        then();
    });
    Ok(())
}
