// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A directory of secrets that outlive the boots of an ephemeral TPM: each is encrypted under a key of its own, which is
//! sealed below a key of the broker, as a disk's key is.

mod file;
pub mod program;

pub use file::SecretFile;
