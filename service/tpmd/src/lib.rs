// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Serves TPMs to hosts: the swtpm and MSSIM protocols over one or many instances.
#![forbid(unsafe_code)]

pub mod device;
pub mod devices;
pub mod endpoint;
pub mod fronts;
pub mod machine;
pub mod store;
pub mod swtpm_program;
#[cfg(test)]
mod testing;
