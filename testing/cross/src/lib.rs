// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attacks that cross crates: a simulated machine against a verifier that has never seen it.
//!
//! Each test plays an attack of docs/THREATS.md with real bytes from end to end, and says what catches it.
#![cfg(test)]

mod certificates;
mod chains;
mod identity;
mod import_certify;
mod keys;
mod launches;
mod levels;
mod verifier;
