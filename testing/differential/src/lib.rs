// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our TPM beside libtpms 0.9.2: the same commands, generated and mutated, must have the same answers.
//!
//! [`story`] tells what is done and compared, [`differences`] is the one list of what may differ and why; the results
//! are in docs/foreign/libtpms.md. Without libtpms on the machine everything is skipped, and says so.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a harness that cannot do its work fails the run")]

pub mod both;
pub mod canonical;
pub mod dice;
pub mod differences;
pub mod generate;
pub mod libtpms;
pub mod model;
pub mod mutate;
pub mod observe;
pub mod ours;
pub mod seal;
pub mod shape;
pub mod story;
