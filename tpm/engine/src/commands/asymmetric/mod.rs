// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Asymmetric Primitives".

mod ecc_parameters;
mod ecdh_key_gen;
mod ecdh_z_gen;
mod rsa;
mod rsa_decrypt;
mod rsa_encrypt;
#[cfg(test)]
mod tests;
