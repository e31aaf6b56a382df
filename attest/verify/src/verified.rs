// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Belief as a type: what a signature chain vouches for, and the root it ends in.

use core::{fmt, ops::Deref};

use evtpm_roots::AmdProduct;

/// The root that a chain of belief ends in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// A pinned root key of AMD.
    Amd(AmdProduct),
    /// A simulated root that the caller named: no hardware stands behind it.
    Simulated {
        /// The common name of the root certificate, which contains the word SIMULATED.
        name: String,
    },
}

impl Root {
    /// Says whether no hardware stands behind this root.
    pub const fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated { .. })
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amd(product) => write!(f, "AMD {product}"),
            Self::Simulated { name } => write!(f, "simulated root \"{name}\""),
        }
    }
}

/// The root of evidence other than AMD's: a pinned key of a vendor, or a key that the caller named.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// Intel's root of SGX and TDX.
    Intel,
    /// The root of AWS Nitro enclaves.
    Aws,
    /// NVIDIA's root of device identities.
    Nvidia,
    /// NVIDIA's root of reference measurements.
    NvidiaRim,
    /// Hygon's root key.
    Hygon,
    /// A key or a certificate that the caller named; no vendor stands behind it.
    Named {
        /// What the caller calls it.
        name: String,
    },
}

impl fmt::Display for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intel => f.write_str("Intel SGX Root CA"),
            Self::Aws => f.write_str("AWS Nitro Enclaves Root G1"),
            Self::Nvidia => f.write_str("NVIDIA Device Identity CA"),
            Self::NvidiaRim => f.write_str("NVIDIA CoRIM signing Root CA"),
            Self::Hygon => f.write_str("Hygon root key (HRK)"),
            Self::Named { name } => write!(f, "named key \"{name}\""),
        }
    }
}

/// A value that a signature, traced to a root, vouches for.
///
/// Only the verification steps of this crate make one. Which roots there can be is part of the type: a policy about AMD's
/// never sees another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T, R = Root> {
    value: T,
    root: R,
}

impl<T, R> Verified<T, R> {
    /// Records that `value` was verified up to `root`.
    pub(crate) const fn new(value: T, root: R) -> Self {
        Self { value, root }
    }

    /// Returns the root that the belief ends in.
    pub const fn root(&self) -> &R {
        &self.root
    }

    /// Gives up the proof and returns the value with its root.
    pub fn into_parts(self) -> (T, R) {
        (self.value, self.root)
    }
}

impl<T, R> Deref for Verified<T, R> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
