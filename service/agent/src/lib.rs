// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Runs in the guest: registers the machine, quotes, sends logs.
#![forbid(unsafe_code)]

pub mod attester;
mod back_off;
pub mod broker;
pub mod config;
pub mod device;
pub mod disk;
mod http;
pub mod keylime;
pub mod keys;
mod leases;
pub mod logs;
mod nv_certificate;
mod peer;
pub mod program;
pub mod random;
mod sealed;
pub mod secrets;
pub mod tsm;
pub mod verifier;
mod voucher;

pub use voucher::NvSource;
