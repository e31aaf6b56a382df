// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose arithmetic checks the signatures of quotes: ours, or that of a library that a service is linked with.

use core::fmt;

use evtpm_crypto::{Crypto as _, CryptoError, EccPoint, EccSignature, RustCrypto};

/// The part of a signature check that takes the time. Parsing, schemes and hashes stay ours.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Names it for operators.
    fn name(&self) -> &'static str;

    /// Checks an ECDSA signature over a digest (FIPS 186-5, "ECDSA Signature Verification").
    ///
    /// # Errors
    /// [`CryptoError::PointNotOnCurve`], [`CryptoError::CurveMismatch`], [`CryptoError::SignatureInvalid`].
    fn ecdsa_verify(&self, public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError>;
}

/// Our own pure-Rust arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PureRust;

impl Backend for PureRust {
    fn name(&self) -> &'static str {
        "rust"
    }

    fn ecdsa_verify(&self, public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError> {
        RustCrypto::ecdsa_verify(public, digest, signature)
    }
}
