// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong between a caller and a TPM, and whose fault it is.
use core::fmt;

use evtpm_crypto::EntropyError;
use evtpm_protocol::ProtocolError;
use evtpm_tpm_wire::{Cc, Handle, Overflow, Rc};

use crate::TransportError;

/// Why a command gave no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The command did not reach the TPM, or its response did not come back.
    Transport {
        /// The command.
        command: Cc,
        /// What the transport says.
        error: TransportError,
    },
    /// The TPM refused the command.
    Refused {
        /// The command.
        command: Cc,
        /// The response code.
        code: Rc,
    },
    /// The TPM, or somebody before it, answered with bytes that are no response to the command.
    Malformed {
        /// The command.
        command: Cc,
        /// What a TPM would say about such bytes.
        code: Rc,
    },
    /// The HMAC of the response is wrong: it is not from the TPM that holds the session, or was changed on its way.
    ResponseHmac {
        /// The command.
        command: Cc,
    },
    /// The TPM returned a Name that is not the Name of the public area beside it.
    Name {
        /// The object or index.
        handle: Handle,
    },
    /// The caller gave too many or too few authorizations.
    Authorizations {
        /// The command.
        command: Cc,
        /// How many its handles need.
        expected: usize,
        /// How many were given.
        actual: usize,
    },
    /// The attributes of an NV index allow no read that the caller could authorize.
    NotReadable {
        /// The index.
        index: Handle,
    },
    /// The TPM answered a question for one capability with another.
    Capability {
        /// The response, or the lack of it.
        what: &'static str,
    },
    /// The PCRs changed each time while they were read.
    PcrsKeepChanging,
    /// What the caller gave does not fit the command.
    TooLong,
    /// A computation of the client failed.
    Protocol(ProtocolError),
    /// The caller's random generator failed.
    Entropy(EntropyError),
}

impl ClientError {
    /// Returns the response code, if the TPM refused the command.
    pub const fn response_code(&self) -> Option<Rc> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport { command, error } => write!(f, "{command}: no response from the TPM: {error}"),
            Self::Refused { command, code } => write!(f, "{command}: the TPM refused: {code} ({:#05x})", code.raw()),
            Self::Malformed { command, code } => write!(f, "{command}: the response is malformed: {code}"),
            Self::ResponseHmac { command } => write!(f, "{command}: the HMAC of the response is wrong"),
            Self::Name { handle } => write!(f, "the TPM returned a wrong Name for {handle:?}"),
            Self::Authorizations { command, expected, actual } => {
                write!(f, "{command}: {expected} handles need authorization, {actual} were authorized")
            }
            Self::NotReadable { index } => {
                write!(f, "NV index {index:?} cannot be read by authValue, owner or platform")
            }
            Self::Capability { what } => write!(f, "TPM2_GetCapability: unexpected answer for {what}"),
            Self::PcrsKeepChanging => f.write_str("TPM2_PCR_Read: the PCRs changed during each attempt"),
            Self::TooLong => f.write_str("a value does not fit the command"),
            Self::Protocol(error) => write!(f, "{error}"),
            Self::Entropy(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Transport { error, .. } => Some(error),
            Self::Protocol(error) => Some(error),
            Self::Entropy(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ProtocolError> for ClientError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl From<EntropyError> for ClientError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

impl From<Overflow> for ClientError {
    fn from(Overflow: Overflow) -> Self {
        Self::TooLong
    }
}
