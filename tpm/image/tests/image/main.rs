// SPDX-License-Identifier: Apache-2.0 OR MIT
//! State images against whole TPMs: what was saved answers as what it was saved from.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod damage;
mod likeness;
mod machine;
mod moves;
mod pinned;
mod power;
