// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What services share at their ends: an HTTP connection to somebody else ([`Connection`]), whom they believe there
//! ([`trust`]), and files that did not exist ([`file`](mod@file)).

#![forbid(unsafe_code)]

mod connection;
pub mod file;
pub mod trust;

pub use connection::{Connection, body};
