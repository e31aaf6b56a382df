// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One module a host protocol: each turns bytes of a connection into calls on a [`Machine`](crate::machine::Machine).

pub mod mssim;
pub mod swtpm;
