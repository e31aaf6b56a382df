// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Launches with SEV and SEV-ES: what is hashed, how the processor attests it, and the secret that the owner hands over.
//!
//! Document: AMD 55766, *Secure Encrypted Virtualization API*, revision 3.24.

mod attested;
mod keys;
mod launch;
mod secret;

pub use attested::{Attested, Firmware};
pub use keys::{IntegrityKey, TransportKeys};
pub use launch::{Contents, Piece, PieceKind, SevDigest, SevLaunch, SevStep};
pub use secret::{MAX_SECRET, Secret, SecretTable};
