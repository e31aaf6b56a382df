// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures, chains, freshness and bindings: bytes become verified claims.
//!
//! Roots, collateral and time are arguments; nothing here opens a file, a socket or a clock.
//! The documents followed: RFC 5280 (X.509), RFC 8017 (RSASSA-PSS), AMD 56860 (SEV-SNP ABI),
//! AMD 57230 (VCEK certificates and the key distribution service), AMD 58019 (SVSM),
//! TCG TPM 2.0 Library 1.85, the TCG EK Credential Profile 2.5, and those that `evtpm_evidence` names for other TEEs.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

pub mod azure;
pub mod backend;
pub mod cca;
mod cose;
pub mod csv;
pub mod dcap;
pub mod ek_certificate;
pub mod endorsement;
mod error;
pub mod evtpm;
pub mod gce;
pub mod logs;
pub mod nitro;
pub mod nvidia;
pub mod psa;
#[cfg(test)]
mod recorded;
pub mod reference;
pub mod rim;
pub mod s390;
mod sm;
pub mod snp;
pub mod software;
#[cfg(test)]
mod sweeps;
mod time;
pub mod tpm;
#[cfg(test)]
mod truncations;
mod vendor;
mod verified;
pub mod x509;

pub use error::{Claim, Error};
pub use time::UnixTime;
pub use verified::{Root, Vendor, Verified};
