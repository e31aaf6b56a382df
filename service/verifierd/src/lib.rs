// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registration, challenges, evidence and verdicts over HTTPS.
#![forbid(unsafe_code)]

mod access;
mod app;
pub mod audit;
#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod backend;
mod budget;
mod events;
mod fronts;
mod hex;
mod inspect;
mod judge;
mod kbs;
mod keylime;
mod keys;
mod listener;
mod machines;
mod metrics;
mod pending;
mod policies;
pub mod program;
mod random;
mod refusal;
mod requests;
mod results;
mod rounds;
mod server;
mod server_identity;
mod store;
pub mod tls;
mod webhook;

pub use backend::VerifyWith;
pub use keylime::BootPolicy;
pub use results::ResultForm;
pub use server::{Config, KeylimePorts, Server, WebhookTarget};
