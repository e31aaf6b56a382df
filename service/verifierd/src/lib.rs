// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registration, challenges, evidence and verdicts over HTTPS.
#![forbid(unsafe_code)]

mod app;
mod attestation;
mod budget;
mod judge;
mod listener;
mod machines;
mod pending;
pub mod program;
mod random;
mod refusal;
mod registration;
mod server;
mod store;
pub mod tls;

pub use server::{Config, Server};
