// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a result cannot be signed or is not believed.

use core::fmt;

use evtpm_appraise::UnixTime;
use evtpm_crypto::CryptoError;

/// The reason for which a result was not made, or refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no token, no result or no key, or too many.
    Malformed {
        /// The part.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// The token names another algorithm than that of the key.
    Algorithm {
        /// The key's.
        expected: &'static str,
        /// The token's.
        actual: String,
    },
    /// The key did not sign the token.
    Signature,
    /// The token is of another profile.
    Profile {
        /// The profile of a result.
        expected: &'static str,
        /// The token's.
        actual: String,
    },
    /// The token was issued later than now.
    NotYetIssued {
        /// When it was issued.
        issued: UnixTime,
        /// The moment of the check.
        now: UnixTime,
    },
    /// The token has expired.
    Expired {
        /// When it expired.
        expires: UnixTime,
        /// The moment of the check.
        now: UnixTime,
    },
    /// The token answers another nonce, or none.
    Nonce,
    /// The key cannot be used.
    Key(CryptoError),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { what, detail } => write!(f, "malformed {what}: {detail}"),
            Self::Algorithm { expected, actual } => write!(f, "signed by {actual}, the key is for {expected}"),
            Self::Signature => f.write_str("the key did not sign this result"),
            Self::Profile { expected, actual } => write!(f, "profile {actual}, expected {expected}"),
            Self::NotYetIssued { issued, now } => write!(f, "issued at {issued}, but it is {now}"),
            Self::Expired { expires, now } => write!(f, "expired at {expires}, and it is {now}"),
            Self::Nonce => f.write_str("the result answers another nonce"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for Error {}
