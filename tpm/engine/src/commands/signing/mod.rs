// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Signing and Signature Verification".

mod sign;
mod sign_digest;
mod sign_sequence_complete;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_v185;
mod verify_digest_signature;
mod verify_sequence_complete;
mod verify_signature;
