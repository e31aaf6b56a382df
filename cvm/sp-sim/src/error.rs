// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong with a simulated processor.

use core::fmt;

use evtpm_crypto::{CryptoError, EntropyError};
use evtpm_snp::{Generation, ReportVersion, Status, Tcb};

/// The reason why the simulation cannot do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The firmware refuses the command with this status.
    Firmware(Status),
    /// No processor of this generation makes reports of this version.
    ReportVersion {
        /// The generation.
        generation: Generation,
        /// The version asked for.
        version: ReportVersion,
    },
    /// A TCB has an FMC level where the generation has none, or the other way round.
    TcbLayout {
        /// The generation.
        generation: Generation,
        /// The TCB given.
        tcb: Tcb,
    },
    /// The committed or the reported TCB is above the current one.
    TcbOrder {
        /// The current TCB.
        current: Tcb,
        /// The TCB given.
        tcb: Tcb,
    },
    /// A public key is needed of a kind that the platform has none of.
    NoVlek,
    /// A cryptographic operation failed.
    Crypto(CryptoError),
    /// The generator of random numbers failed.
    Entropy(EntropyError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firmware(status) => write!(f, "the firmware refused: {status}"),
            Self::ReportVersion { generation, version } => {
                write!(f, "{generation} makes no reports of version {}", version.number())
            }
            Self::TcbLayout { generation, tcb } => write!(f, "{generation} has no TCB laid out as {tcb}"),
            Self::TcbOrder { current, tcb } => write!(f, "a TCB of {tcb} is above the current one, {current}"),
            Self::NoVlek => f.write_str("no VLEK is installed"),
            Self::Crypto(error) => error.fmt(f),
            Self::Entropy(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Firmware(status)
    }
}

impl From<CryptoError> for Error {
    fn from(error: CryptoError) -> Self {
        Self::Crypto(error)
    }
}

impl From<EntropyError> for Error {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

/// Commands have no better word for a computation that failed inside of the processor.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Firmware(status) => status,
            _ => Self::HWERROR_PLATFORM,
        }
    }
}
