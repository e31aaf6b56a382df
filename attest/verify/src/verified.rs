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

/// A value that a signature, traced to a root, vouches for.
///
/// Only the verification steps of this crate make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    value: T,
    root: Root,
}

impl<T> Verified<T> {
    /// Records that `value` was verified up to `root`.
    pub(crate) const fn new(value: T, root: Root) -> Self {
        Self { value, root }
    }

    /// Returns the root that the belief ends in.
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// Gives up the proof and returns the value with its root.
    pub fn into_parts(self) -> (T, Root) {
        (self.value, self.root)
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
