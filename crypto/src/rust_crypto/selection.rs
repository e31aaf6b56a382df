// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How much of the portable implementation a program links.
//!
//! What a TPM has is a value; what a linker can leave out is decided by a type. A firmware that makes small TPMs only names a
//! small selection, and each algorithm that is absent answers [`CryptoError::Absent`](crate::CryptoError::Absent).

/// The algorithms beyond those that every implementation has (RSA, P-256, P-384, P-521, AES, the hashes).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The curve BN-P256.
    pub bn_p256: bool,
    /// X25519 and Ed25519.
    pub curve25519: bool,
    /// ML-KEM and ML-DSA.
    pub lattices: bool,
}

impl Offer {
    /// Everything.
    pub const EVERYTHING: Self = Self { bn_p256: true, curve25519: true, lattices: true };
    /// Nothing beyond what every implementation has.
    pub const SMALL: Self = Self { bn_p256: false, curve25519: false, lattices: false };
}

/// A type that stands for an [`Offer`].
pub trait Selection {
    /// What is linked.
    const OFFER: Offer;
}

/// The selection of [`Offer::EVERYTHING`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Everything;

impl Selection for Everything {
    const OFFER: Offer = Offer::EVERYTHING;
}

/// The selection of [`Offer::SMALL`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Small;

impl Selection for Small {
    const OFFER: Offer = Offer::SMALL;
}
