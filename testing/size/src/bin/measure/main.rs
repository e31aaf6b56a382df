// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures the stack that each command uses and the heap that a TPM takes, and prints them as JSON.
//!
//! A stack cannot be looked at in safe Rust, so it is found out by running out of it. A command is executed on a thread of
//! fixed size whose stack was first used up to some depth, in a process of its own: it answers, or it dies at the guard page. The
//! greatest depth at which it answers, subtracted from the greatest depth at which nothing at all is executed, is what the
//! command needs.

#[cfg(not(target_os = "none"))]
mod hosted;
#[cfg(not(target_os = "none"))]
mod scenarios;

#[cfg(not(target_os = "none"))]
#[global_allocator]
static HEAP: evtpm_heap::counting::Counting = evtpm_heap::counting::Counting;

#[cfg(not(target_os = "none"))]
fn main() -> anyhow::Result<()> {
    hosted::run()
}

#[cfg(target_os = "none")]
fn main() {}
