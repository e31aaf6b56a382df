// SPDX-License-Identifier: Apache-2.0 OR MIT
//! X.509 certificates and revocation lists (RFC 5280), as far as a chain of vendor keys needs them.
//!
//! Signatures are checked over the received bytes, never over a re-encoding. Serial number 0 is accepted:
//! RFC 5280 asks for a positive one and adds that users "SHOULD be prepared to gracefully handle" others,
//! and every VCEK has it.

mod certificate;
mod crl;
mod path;
pub(crate) mod pem;
mod signature;
mod store;

pub use certificate::{Certificate, PublicKey};
pub use crl::{Crl, Revocation};
pub use path::Path;
pub(crate) use signature::Scheme;
pub use store::CertificateStore;

/// The longest certificate or revocation list that is looked at.
pub const MAX_DER_BYTES: usize = 64 * 1024;

/// The most certificates that one bundle may hold.
pub const MAX_CERTIFICATES: usize = 32;
