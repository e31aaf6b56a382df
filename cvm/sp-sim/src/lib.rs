// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An honest simulated AMD secure processor: launch, guest messages, reports, and the certificates that vouch for them.
//!
//! It follows the *SNP ABI* ("SEV Secure Nested Paging Firmware ABI Specification", publication 56860) where a guest or a
//! verifier can tell the difference, and real processors where they differ from it. It keeps nobody out of a guest's
//! memory: it exists so that everything above it can be run and tested without the hardware.
//!
//! Nothing can mistake it for the real thing: every certificate says SIMULATED in its subject, and the keys of its roots
//! are public (`root_keys/README.md`), so whoever trusts these roots trusts everybody.
//!
//! [`Processor`] is the secure processor, [`Host`] the hypervisor between it and a guest, which can be told to misbehave,
//! and [`Authority`] what the key distribution service knows.
//!
//! ```
//! use evtpm_snp::{GuestPolicy, PageType};
//! use evtpm_sp_sim::{LaunchFinish, LaunchPage, LaunchStart, Platform, Processor, Product};
//!
//! let mut processor = Processor::new(Platform::new(Product::Genoa, [7; 32]), &[1; 32])?;
//! let guest = processor.launch_start(&LaunchStart::new(GuestPolicy(0x30000)))?;
//! let mut page = [0x90; 4096];
//! processor.launch_update(guest, LaunchPage::new(PageType::Normal, 0x10_0000, &mut page))?;
//! processor.launch_finish(guest, &LaunchFinish::default())?;
//! # Ok::<(), evtpm_sp_sim::Error>(())
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod authority;
mod command;
mod crl;
mod der;
mod derived_key;
mod endorsement;
mod error;
mod guest;
mod guest_request;
mod host;
mod platform;
mod processor;
mod product;
mod report;
mod root_keys;
#[cfg(test)]
mod tests;
mod time;

pub use authority::{Authority, Role};
pub use command::{GuestHandle, Identification, LaunchFinish, LaunchPage, LaunchStart};
pub use crl::RevocationList;
pub use error::Error;
pub use host::{Host, Misbehaviour, Refusal};
pub use platform::Platform;
pub use processor::Processor;
pub use product::Product;
pub use time::UnixTime;
