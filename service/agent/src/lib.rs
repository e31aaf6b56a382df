// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs in the guest: registers the machine, quotes, sends logs.
#![forbid(unsafe_code)]

pub mod attester;
pub mod config;
pub mod device;
mod http;
pub mod keylime;
pub mod keys;
pub mod logs;
pub mod program;
pub mod random;
pub mod tsm;
pub mod verifier;
