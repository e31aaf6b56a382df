// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a TPM says of itself: keys that are believed, and quotes that they sign (verification rules 1 to 5).
//!
//! Belief grows in this order: an [`Endorsement`] and a checked [`AkPublic`] become a [`Credential`];
//! its proof becomes a [`TrustedAk`], as does a certificate that answers a [`Certifier`]; that key and an [`Issued`] nonce make a [`Quote`] out of bytes.

mod attest;
mod certify;
mod clock;
mod credential;
mod device;
mod endorsement;
mod error;
mod import_certify;
mod key;
mod nonce;
mod objects;
mod quote;
mod selection;
mod signature;

#[cfg(test)]
mod quote_tests;
#[cfg(test)]
pub(crate) mod soft_tpm;
#[cfg(test)]
pub(crate) mod testing;

pub use certify::{CertifyEvidence, StorageKey};
pub use clock::{Clock, ClockError, ClockWitness};
pub use credential::{Challenge, Credential};
pub use device::{CertifiedKey, DeviceIdentity};
pub use endorsement::Endorsement;
pub use error::Error;
pub use evtpm_protocol::certifying_key::HmacKey;
pub use import_certify::{Certifier, KeyToImport};
pub use key::{AkOrigin, AkPublic, EkPublic, KeyRule, TrustedAk};
pub use nonce::{Freshness, Issued, Nonce, QualifyingData};
pub use objects::NvContents;
pub use quote::{Quote, QuoteEvidence, QuotedBank};
pub use selection::Selection;
pub use signature::Scheme as SignatureScheme;
