// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong between a client and the simulated processor.

use std::{fmt, io};

use evtpm_sp_sim::Refusal;

/// The reason why a request to the processor failed.
#[derive(Debug)]
pub enum Error {
    /// The socket failed.
    Io(io::Error),
    /// The host or the firmware refused.
    Refused(Refusal),
    /// The simulation refused, the platform it was given for instance.
    Simulation(evtpm_sp_sim::Error),
    /// The peer sent what the protocol does not allow.
    Malformed {
        /// What was malformed.
        what: &'static str,
    },
    /// The server called our request malformed.
    NotUnderstood,
    /// The peer speaks another version of the protocol.
    Version {
        /// Our version.
        expected: u16,
        /// The peer's version.
        actual: u16,
    },
    /// Another process listens on the socket's path already.
    InUse,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "simulated processor: {error}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Simulation(error) => error.fmt(f),
            Self::Malformed { what } => write!(f, "simulated processor: malformed {what}"),
            Self::NotUnderstood => f.write_str("simulated processor: the server did not understand a request"),
            Self::Version { expected, actual } => {
                write!(f, "simulated processor: protocol version {actual}, expected {expected}")
            }
            Self::InUse => f.write_str("simulated processor: another process listens on that path"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<evtpm_sp_sim::Error> for Error {
    fn from(error: evtpm_sp_sim::Error) -> Self {
        Self::Simulation(error)
    }
}
