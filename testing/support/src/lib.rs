// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What tests of several crates share: a simulated chip, a guest with an e-vTPM on it, its memory and its TPM driver.
//!
//! ```
//! use evtpm_sp_sim::Product;
//! use evtpm_testing_support::{boot, chip, client};
//! use evtpm_tpm_wire::{Handle, TpmSu};
//!
//! let mut machine = boot(chip(Product::Milan));
//! let mut tpm = client(&mut machine);
//! tpm.startup(TpmSu::Clear)?;
//! let report = tpm.nv_read(Handle(0x01c0_000a), &[])?;
//! assert_eq!(report.len(), evtpm_snp::Report::SIZE);
//! # Ok::<(), evtpm_client::ClientError>(())
//! ```
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a fixture that cannot be built fails the test that wants it")]

mod browser;
mod direct;
mod driver;
mod machine;
mod memory;
mod noise;
mod platform;
mod sweep;
mod tpm_vendor;

pub use browser::Browser;
pub use direct::Direct;
pub use driver::{Driver, client};
pub use machine::{Machine, POLICY, Tap, boot, boot_on, chip, host, image, launch, predicted_measurement};
pub use memory::{CANARY, GuestRam, RAM_SIZE, SVSM_PAGE, UNTOUCHED};
pub use noise::Noise;
pub use platform::TestPlatform;
pub use sweep::{changes, spread};
pub use tpm_vendor::{TpmVendor, tlv};
