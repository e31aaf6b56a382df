// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The simulated secure processor as a process of its own, behind a unix socket, and the clients that reach it.
//!
//! Whoever can connect to the socket is the host: it can launch guests, carry their sealed messages and misbehave. What a
//! guest says to the processor stays between the two, as on hardware.
//!
//! [`Server`] owns one [`Host`](evtpm_sp_sim::Host) and serves any number of connections; the guests of a connection end
//! with it. [`Client`] is one connection. [`Firmware`] is what it has in common with a host in the same process, so that
//! [`launch`] works with both, and [`Channel`] carries an SVSM's messages over either.
#![forbid(unsafe_code)]

mod channel;
mod client;
mod config;
mod error;
mod firmware;
mod server;
#[cfg(test)]
mod tests;
mod wire;

pub use channel::{Channel, LOST_CONNECTION};
pub use client::Client;
pub use config::Config;
pub use error::Error;
pub use firmware::{Firmware, Launched, launch};
pub use server::{Event, Server, Stop};
pub use wire::CertificateKind;

/// Serves a simulated secure processor until the socket fails.
///
/// # Errors
/// The platform cannot exist, the socket cannot be made, or accepting connections fails.
pub fn run(config: Config) -> Result<(), Error> {
    Server::bind(config)?.serve()
}
