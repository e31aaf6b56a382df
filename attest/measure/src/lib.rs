// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Predicts launch digests from files, so that a policy states what was meant rather than what was seen.
//!
//! A launch is a list of pages in the order in which the hypervisor hands them to the secure processor; its digest is
//! the chain of their PAGE_INFO structures (AMD 56860, "SNP_LAUNCH_UPDATE"). Nothing here looks at a simulator or at a
//! report: two independent ways to the same digest are what gives the comparison its worth.
//!
//! SEV and SEV-ES hash what is loaded, without addresses, into one SHA-256; the processor attests it with a key that the
//! guest's owner shares with it, and takes a secret in return (AMD 55766, "LAUNCH_MEASURE", "LAUNCH_SECRET"): see [`sev`].
//!
//! ```
//! use evtpm_measure::{Launch, PageType};
//!
//! let mut launch = Launch::new();
//! launch.add_zeros(PageType::Zero, 0x1000, 2)?;
//! let digest = launch.digest();
//! launch.add_page(PageType::Normal, 0x3000, &[0x90; 4096])?;
//! assert_ne!(launch.digest(), digest);
//! # Ok::<(), evtpm_measure::Error>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

pub mod boot;
mod bytes;
pub mod cpu;
pub mod elf;
mod error;
pub mod id_block;
pub mod igvm;
mod launch;
pub mod ovmf;
pub mod sev;
pub mod svsm;

pub use error::Error;
pub use evtpm_snp::{LaunchDigest, PageType};
pub use launch::{Launch, Page, PageRange, Step};
pub use sev::SevLaunch;
