// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Part 3, "Hash/HMAC/Event/Signature Sequences".

mod event_sequence_complete;
mod hash_sequence_start;
mod mac_start;
mod sequence_complete;
mod sequence_update;
mod sign_sequence_start;
pub(crate) mod signature;
#[cfg(test)]
mod tests;
mod verify_sequence_start;
