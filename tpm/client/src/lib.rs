// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Typed TPM commands and sessions over a transport.
//!
//! [`Client::run`] sends any command that `evtpm_tpm_wire::commands` declares, with passwords or sessions, and returns its
//! typed response; the other methods are the few steps that attestation is made of. A client works against any TPM: it
//! knows bytes in and bytes out ([`Transport`]), never a device or a socket.
//!
//! ```no_run
//! # use evtpm_client::{Client, ClientError, Transport};
//! # use evtpm_crypto::Rng;
//! # use evtpm_protocol::templates;
//! # use evtpm_tpm_wire::{PcrIndex, PcrSelect, TpmiRhHierarchy, HashAlg, TpmlPcrSelection, TpmsPcrSelection};
//! # fn example(transport: impl Transport, rng: impl Rng) -> Result<(), ClientError> {
//! let mut tpm = Client::new(transport, rng);
//! let storage = tpm.create_primary(TpmiRhHierarchy::Owner, &[], &templates::storage_root_key())?;
//! let (private, public) = tpm.create(&storage, &[], &templates::attestation_key())?;
//! let ak = tpm.load(&storage, &[], &private, &public)?;
//! let bank = TpmsPcrSelection { hash: HashAlg::Sha256, select: PcrSelect::of(&[PcrIndex::Pcr7]) };
//! let quote = tpm.quote(&ak, &[], b"nonce", &TpmlPcrSelection::from_slice(&[bank])?)?;
//! # drop(quote);
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod attest;
mod auth;
mod capability;
mod client;
mod encapsulation;
mod error;
mod frame;
mod nv;
mod object;
mod pcr;
mod policy;
mod session;
mod signing;
mod storage;
mod transport;

pub use attest::Quote;
pub use auth::{Auth, SessionAuth};
pub use client::Client;
pub use error::ClientError;
pub use object::Object;
pub use pcr::PcrValue;
pub use session::{Bind, Session, SessionOptions};
pub use transport::{Transport, TransportError};
