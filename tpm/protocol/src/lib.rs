// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What both sides of a TPM compute: Names, policies, session cryptography, protected secrets, templates.
//!
//! Nothing here has state. The engine, the client and the verifier compute these values with the same code, and the
//! cryptography comes in as a type (`C: Crypto`). The documents are TPM 2.0 Library Part 1 ("Architecture"), version
//! 185 of 2026-03, and the TCG EK Credential Profile 2.5.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

#[cfg(test)]
extern crate std;

mod algorithms;
pub mod certifying_key;
pub mod credential;
mod digests;
pub mod duplication;
mod error;
pub mod intermediate;
mod labeled_kem;
pub mod message;
mod name;
mod policy;
pub mod secret;
pub mod session;
mod signature;
pub mod templates;
#[cfg(test)]
mod testing;
pub mod wrap;
pub mod x509;

pub use algorithms::{
    crypto_curve, crypto_hash, curve25519_key, ecc_point, mldsa_set, mlkem_set, rsa_exponent, wire_hash,
};
pub use digests::{cp_hash, hash_of, name_hash, pcr_digest, rp_hash};
pub use error::ProtocolError;
pub use name::{handle_name, nv_name, nv_name_2, object_name, qualified_name};
pub use policy::PolicyDigest;
pub use signature::{pss_salt_size, verify_signature};
