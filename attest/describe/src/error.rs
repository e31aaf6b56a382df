// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why something cannot be described.

use core::fmt;

use evtpm_tpm_wire::Rc;

/// The bytes are not what they are said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Not a report.
    Report(evtpm_snp::Error),
    /// Not evidence of a known form.
    Evidence(evtpm_evidence::Error),
    /// Not a log, or not whole.
    Log(evtpm_logs::Error),
    /// Not a structure of the TPM.
    Tpm {
        /// The structure's name.
        what: &'static str,
        /// What is wrong, as a TPM would say it.
        code: Rc,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report(error) => error.fmt(f),
            Self::Evidence(error) => error.fmt(f),
            Self::Log(error) => error.fmt(f),
            Self::Tpm { what, code } => write!(f, "not a {what}: {code}"),
        }
    }
}

impl core::error::Error for Error {}

impl From<evtpm_snp::Error> for Error {
    fn from(error: evtpm_snp::Error) -> Self {
        Self::Report(error)
    }
}

impl From<evtpm_evidence::Error> for Error {
    fn from(error: evtpm_evidence::Error) -> Self {
        Self::Evidence(error)
    }
}

impl From<evtpm_logs::Error> for Error {
    fn from(error: evtpm_logs::Error) -> Self {
        Self::Log(error)
    }
}
