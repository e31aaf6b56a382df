// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Signing and Signature Verification".

mod sign;
#[cfg(test)]
mod tests;
mod verify_signature;
