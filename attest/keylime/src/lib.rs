// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Keylime's REST messages, exactly as on their wire (API versions 2.1 to 2.6 and 3.0).
//!
//! Types only: nothing here reads a file, opens a connection or computes a digest. A field that Keylime sends as text
//! in some encoding is that text; who uses it decodes it. Unknown fields are taken and dropped, as Keylime does, since
//! its minor versions add fields.
#![forbid(unsafe_code)]

pub mod agent;
mod envelope;
pub mod push;
pub mod quote;
pub mod registrar;
pub mod tee;
pub mod verifier;
mod version;

pub use envelope::{Envelope, Nothing};
pub use version::{ApiVersion, MalformedVersion};
