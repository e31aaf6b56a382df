// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Asymmetric Primitives".

mod decapsulate;
mod ecc_decrypt;
mod ecc_encrypt;
mod ecc_parameters;
mod ecdh_key_gen;
mod ecdh_z_gen;
mod encapsulate;
mod rsa;
mod rsa_decrypt;
mod rsa_encrypt;
#[cfg(test)]
mod tests;
mod zgen_2phase;

pub(super) use ecdh_key_gen::wire_point;
