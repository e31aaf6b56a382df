// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Keylime agent of the pull model (API 2.1 to 2.6), which registers at a registrar and answers a verifier and a tenant;
//! and one of the push model ([`push`]).
//!
//! In the pull model, whoever asks must show a certificate of the verifier's CA; our own is self-signed, and pinned by the registrar. The
//! agent keeps no file but the one in which its two keys survive a restart.

mod answer;
mod certificate;
mod device;
mod ima_list;
mod options;
mod payload;
pub mod program;
pub mod push;
mod quote;
mod registrar;
mod revocation;
mod server;
mod start;
mod state;
mod transport_key;

pub use answer::{PullAgent, Reply};
pub use device::{Device, DeviceKeySource};
pub use ima_list::ImaList;
pub use options::AgentOptions;
pub use payload::PayloadFolder;
pub use registrar::{Contact, Registrar, Shown};
pub use revocation::Revocations;
pub use state::State;
pub use transport_key::TransportKey;
