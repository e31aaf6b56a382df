// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cryptographic traits and their pure-Rust implementation, with an RSA module of our own.
//!
//! [`Crypto`] is what a TPM needs, operation by operation; [`RustCrypto`] implements it. Whatever can be said above
//! that trait (HMAC, KDFa, paddings, the DRBG) is written once, generic over it. Nothing here knows a TPM or a TEE.
//!
//! ```
//! use evtpm_crypto::drbg::HmacDrbg;
//! use evtpm_crypto::{Crypto, EccCurve, EccPrivate, HashAlg, RustCrypto};
//!
//! # fn main() -> Result<(), evtpm_crypto::CryptoError> {
//! let mut rng = HmacDrbg::<RustCrypto>::new(b"384 bits of entropy and nonce", &[], b"example");
//! let key = EccPrivate::generate(EccCurve::P256, &mut rng)?;
//! let digest = RustCrypto::hash(HashAlg::Sha256, &[b"signed in ", b"two parts"]);
//! let signature = RustCrypto::ecdsa_sign(&key, digest.as_bytes(), &mut rng)?;
//! RustCrypto::ecdsa_verify(&RustCrypto::ecc_public(&key)?, digest.as_bytes(), &signature)?;
//! # Ok(())
//! # }
//! ```
//!
//! Documents: FIPS 180-4, FIPS 202, FIPS 203, FIPS 204, FIPS 198-1, FIPS 197, FIPS 186-5, SP 800-38A, SP 800-38B,
//! SP 800-38D, SP 800-56A r3, SP 800-90A r1, SP 800-90B, SP 800-108 r1, RFC 5869, RFC 6979, RFC 7748, RFC 8032, RFC 9180, and
//! TPM 2.0 Library Part 1 v1.85 for KDFa, KDFe and XOR.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

#[cfg(test)]
extern crate std;

pub mod aead;
mod cipher;
mod cmac;
mod compare;
pub mod drbg;
mod ecc;
pub mod ecc_encryption;
mod eddsa;
pub mod entropy;
mod error;
mod hash;
mod hmac;
mod hpke;
pub mod kat;
mod kdf;
mod lattice;
pub mod padding;
mod provider;
mod rng;
pub mod rsa;
mod rust_crypto;
pub mod schnorr;
pub mod secp256k1;

pub use cipher::{BLOCK_SIZE, CipherMode, Direction};
pub use cmac::{CMAC_SIZE, CMAC_STATE_SIZE, Cmac};
pub use compare::constant_time_eq;
pub use ecc::{CurveParameters, EccCurve, EccPoint, EccPrivate, EccSignature, MAX_ECC_BYTES};
pub use eddsa::EdDsa;
pub use error::{CryptoError, EntropyError};
pub use hash::{Digest, HashAlg, MAX_DIGEST_SIZE, MAX_HASH_BLOCK_SIZE, MAX_HASH_STATE_SIZE, StreamingHash};
pub use hmac::Hmac;
pub use hpke::{Dhkem, dhkem_extract_and_expand};
pub use kdf::{kdf2_xor, kdfa, kdfe, xor_obfuscate};
pub use lattice::{
    MAX_SIGNATURE_CONTEXT, MLDSA_SEED_SIZE, MLKEM_SEED_SIZE, MU_SIZE, MlDsaSet, MlKemSet, SharedKey, mu_of_digest,
    mu_of_message,
};
pub use provider::Crypto;
pub use rng::Rng;
pub use rsa::RsaKey;
pub use rust_crypto::{Everything, Offer, PortableCrypto, RustCrypto, RustHasher, Selection, Small, SmallCrypto};
