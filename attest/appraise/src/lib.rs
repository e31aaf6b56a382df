// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Policy over verified claims: findings, a trust vector, a verdict.
//!
//! Nothing unverified can be looked at: [`Claims`] are made of the proof types of `evtpm-verify` and of nothing else.
//! The documents followed: RFC 9334 (RATS) for the roles, draft-ietf-rats-ar4si for the trust vector, and AMD 56860 for
//! what the fields of a report mean.
//!
//! ```
//! use evtpm_appraise::Policy;
//!
//! let policy = Policy::from_toml(
//!     r#"
//!     version = 1
//!     [snp]
//!     products = ["Milan"]
//!     measurements = ["3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e3e"]
//!     "#,
//! )?;
//! assert!(Policy::from_toml("version = 1").is_err(), "an empty policy cannot be written");
//! # assert!(policy.tpm.is_none());
//! # Ok::<(), evtpm_appraise::PolicyError>(())
//! ```
#![forbid(unsafe_code)]

mod affirm;
mod appraisal;
pub mod checks;
mod claims;
mod finding;
mod identity;
mod learn;
pub mod policy;
mod vector;
mod verdict;

#[cfg(test)]
mod testing;

pub use appraisal::{Appraisal, LayerAppraisal, appraise};
pub use claims::{
    BankValues, BootClaims, BootEvent, Challenge, Claims, ClaimsError, FileMeasurement, KeyClaims, Proven, QuoteClaims,
    ReportClaims, RuntimeClaims,
};
pub use evtpm_verify::{Root, UnixTime, Vendor};
pub use finding::{Explanation, Finding, Layer, Severity};
pub use identity::{LaunchIdentity, identity_digest};
pub use learn::LearnError;
pub use policy::{Policy, PolicyError};
pub use vector::{Tier, TrustClaim, TrustVector};
pub use verdict::Verdict;
