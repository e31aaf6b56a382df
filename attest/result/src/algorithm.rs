// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The signature algorithms of results, under the names of JOSE (RFC 7518, 3.4; RFC 8037) and COSE (RFC 9053, 2).

use core::fmt;
use core::str::FromStr;

use evtpm_crypto::{EccCurve, HashAlg};

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// EdDSA on Curve25519: Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Es256, Self::Es384, Self::EdDsa];

    /// Names the algorithm as token headers do.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns the number of the algorithm in COSE headers.
    pub const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::Es384 => -35,
            Self::EdDsa => -8,
        }
    }

    /// Tells whether a token's header means this algorithm; RFC 9864 gives Ed25519 a name of its own.
    pub(crate) fn is_called(self, name: &str) -> bool {
        name == self.name() || self == Self::EdDsa && name == "Ed25519"
    }

    /// Finds the algorithm that a COSE header means.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        let is_meant = |algorithm: &Self| algorithm.number() == number || *algorithm == Self::EdDsa && number == -19;
        Self::ALL.into_iter().find(is_meant)
    }

    /// Names the curve as JWKs do.
    pub(crate) const fn curve_name(self) -> &'static str {
        match self {
            Self::Es256 => "P-256",
            Self::Es384 => "P-384",
            Self::EdDsa => "Ed25519",
        }
    }

    /// Names the type of the keys as JWKs do.
    pub(crate) const fn key_type(self) -> &'static str {
        match self {
            Self::Es256 | Self::Es384 => "EC",
            Self::EdDsa => "OKP",
        }
    }

    /// Returns curve and hash of ECDSA.
    pub(crate) const fn ecdsa(self) -> Option<(EccCurve, HashAlg)> {
        match self {
            Self::Es256 => Some((EccCurve::P256, HashAlg::Sha256)),
            Self::Es384 => Some((EccCurve::P384, HashAlg::Sha384)),
            Self::EdDsa => None,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = &'static str;

    /// Reads a name in any case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_meant = |algorithm: &Self| {
            text.eq_ignore_ascii_case(algorithm.name()) || text.eq_ignore_ascii_case(algorithm.curve_name())
        };
        Self::ALL.into_iter().find(is_meant).ok_or("not one of ES256, ES384, EdDSA")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_and_each_number_means_one_algorithm() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().to_lowercase().parse(), Ok(algorithm));
            assert_eq!(Algorithm::from_number(algorithm.number()), Some(algorithm));
            assert_eq!(Algorithm::ALL.iter().filter(|other| other.is_called(algorithm.name())).count(), 1);
        }
    }

    #[test]
    fn ed25519_has_the_names_of_rfc_9864_too() {
        assert!(Algorithm::EdDsa.is_called("Ed25519") && !Algorithm::Es256.is_called("Ed25519"));
        assert_eq!(Algorithm::from_number(-19), Some(Algorithm::EdDsa));
        assert_eq!((Algorithm::from_number(-36), "none".parse::<Algorithm>().ok()), (None, None));
    }
}
