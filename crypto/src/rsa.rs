// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA of our own: fixed-size Montgomery arithmetic, blinded and checked private operations, key generation
//! (RFC 8017, FIPS 186-5).
//!
//! Nothing is allocated and nothing can panic. A private operation works in the memory of its key, and the caller says where
//! that is: on the stack are a few numbers, 5 KiB at most. Secret values never decide a branch or an address, with one exception
//! that the sieve explains; this is by construction, and the compiler is trusted with it.

mod generate;
mod inverse;
mod key;
mod miller_rabin;
mod montgomery;
mod private;
mod public;
mod sieve;
mod small;
#[cfg(test)]
mod tests;
mod verify;
mod words;

pub use key::{RsaKey, RsaPrivate};
pub use public::RsaPublic;
pub use verify::{rsa_pkcs1_verify, rsa_pss_verify};
