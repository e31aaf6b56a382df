// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interfaces of the verifier: each turns requests of one protocol into calls of what all share.

pub(crate) mod admin;
pub(crate) mod kbs;
pub(crate) mod keylime_v2;
pub(crate) mod keylime_v3;
pub(crate) mod native;
pub(crate) mod page;
