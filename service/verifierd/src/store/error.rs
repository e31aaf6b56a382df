// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a store refused or failed.

use std::fmt;

use crate::hex::hex;

/// Why a request on the store failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// The database itself failed.
    Database(String),
    /// The database was written by another version of this program.
    Version { found: i64, expected: i64 },
    /// The machine was launched as something else before.
    OtherIdentity { machine: String, expected: Vec<u8>, actual: Vec<u8> },
    /// The EK was seen before, at another boot or machine: an ephemeral key never comes back.
    KnownEk,
    /// The attester was revoked, or removed.
    Revoked,
    /// There is no policy of that name.
    UnknownPolicy(String),
    /// Machines have the policy.
    PolicyInUse { policy: String, machines: u64 },
    /// It was changed since it was read.
    Changed(String),
    /// There is already something of that name.
    Exists(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Database(error) => write!(f, "the database failed: {error}"),
            StoreError::Version { found, expected } => {
                write!(f, "the database has schema version {found}, this program knows up to {expected}")
            }
            StoreError::OtherIdentity { machine, expected, actual } => write!(
                f,
                "machine {machine} is known by launch identity {}, but this is {}",
                hex(expected),
                hex(actual)
            ),
            StoreError::KnownEk => {
                f.write_str("this endorsement key was registered before; an ephemeral TPM never has the same again")
            }
            StoreError::Revoked => {
                f.write_str("this endorsement key was revoked when the machine registered with a newer one")
            }
            StoreError::UnknownPolicy(name) => write!(f, "there is no policy `{name}`"),
            StoreError::PolicyInUse { policy, machines } => {
                write!(f, "{machines} machines have the policy `{policy}`: give them another one first")
            }
            StoreError::Changed(name) => write!(f, "`{name}` was changed by another request"),
            StoreError::Exists(name) => write!(f, "there is already a `{name}`"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::Database(error.to_string())
    }
}
