// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registration, challenges, evidence and verdicts over HTTPS.
#![forbid(unsafe_code)]

mod listener;
mod pending;
mod store;
pub mod tls;
