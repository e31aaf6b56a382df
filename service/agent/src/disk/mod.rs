// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Disk encryption with an ephemeral TPM: a broker releases a storage key to this boot, and the disk's key is sealed below it.
//!
//! ```text
//! SRK (new at each boot, certified by the AK) ◄─ wraps ─ storage key (the broker's, always the same)
//!                                                             └─ seals ─ disk key (in a LUKS2 token, always the same bytes)
//! ```

pub mod luks;
pub mod program;
mod sealed;

pub use sealed::{SealedKey, TOKEN_TYPE};
