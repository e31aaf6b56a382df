// SPDX-License-Identifier: Apache-2.0 OR MIT
//! RSA paddings (RFC 8017), written once above any implementation of the RSA operation itself.
//!
//! Encoders fill a block as long as the modulus. Decoders of ciphertexts read secrets: they go through the whole block
//! in one flow whatever it holds, give one error, and decide at the end.

mod flow;
mod mgf1;
pub mod oaep;
pub mod pkcs1;
pub mod pss;
pub mod raw;
#[cfg(test)]
mod tests;

pub use mgf1::mgf1_xor;
