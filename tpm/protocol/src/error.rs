// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong, and whose fault it is.
use core::fmt;

use evtpm_crypto::CryptoError;
use evtpm_tpm_wire::{EccCurve, HashAlg, Overflow, PublicAlg, Rc};

/// Why a computation refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The structure asks for a hash that the cryptography does not have.
    Hash(HashAlg),
    /// The structure asks for a curve that the cryptography does not have.
    Curve(EccCurve),
    /// The public area names no hash for its Name.
    NoNameAlg,
    /// The key is of a type that cannot do this.
    KeyType(PublicAlg),
    /// The key has no symmetric cipher, so it protects nothing, or a cipher that is not AES.
    NotAStorageKey,
    /// The signature is of another kind than the key.
    SignatureKind,
    /// The signature scheme takes no context, or not one of this size.
    Context,
    /// The integrity value does not match: wrong key, wrong Name, or changed bytes.
    Integrity,
    /// A blob does not have the structure that its kind has.
    Malformed(Rc),
    /// A value is larger than its structure allows.
    TooLong,
    /// The cryptography refused.
    Crypto(CryptoError),
}

impl ProtocolError {
    /// Returns the response code with which a TPM reports the error, where Part 3 does not decide otherwise.
    pub const fn rc(self) -> Rc {
        match self {
            Self::Hash(_) | Self::NoNameAlg => Rc::HASH,
            Self::Curve(_) => Rc::CURVE,
            Self::KeyType(_) | Self::NotAStorageKey => Rc::TYPE,
            Self::SignatureKind => Rc::SCHEME,
            Self::Integrity => Rc::INTEGRITY,
            Self::Malformed(rc) => rc,
            Self::TooLong | Self::Context => Rc::SIZE,
            Self::Crypto(CryptoError::Entropy(_)) => Rc::FAILURE,
            Self::Crypto(CryptoError::PointNotOnCurve | CryptoError::PointAtInfinity) => Rc::ECC_POINT,
            Self::Crypto(CryptoError::SignatureInvalid) => Rc::SIGNATURE,
            Self::Crypto(_) => Rc::VALUE,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => write!(f, "the hash {hash:?} is not available"),
            Self::Curve(curve) => write!(f, "the curve {curve:?} is not available"),
            Self::NoNameAlg => f.write_str("the public area has no name algorithm"),
            Self::KeyType(kind) => write!(f, "a key of type {kind:?} cannot be used for this"),
            Self::NotAStorageKey => f.write_str("the key names no AES cipher to protect others with"),
            Self::SignatureKind => f.write_str("the signature is of another kind than the key"),
            Self::Context => f.write_str("the signature scheme takes no such context"),
            Self::Integrity => f.write_str("the integrity value does not match"),
            Self::Malformed(rc) => write!(f, "the protected structure is malformed: {rc}"),
            Self::TooLong => f.write_str("a value is larger than its structure allows"),
            Self::Crypto(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for ProtocolError {}

impl From<CryptoError> for ProtocolError {
    fn from(error: CryptoError) -> Self {
        Self::Crypto(error)
    }
}

impl From<evtpm_crypto::EntropyError> for ProtocolError {
    fn from(error: evtpm_crypto::EntropyError) -> Self {
        Self::Crypto(CryptoError::Entropy(error))
    }
}

impl From<Overflow> for ProtocolError {
    fn from(Overflow: Overflow) -> Self {
        Self::TooLong
    }
}
