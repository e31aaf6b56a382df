// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hygon CSV: attestation reports of versions 1 and 2, and Hygon's certificates (Hygon, *CSV attestation*; Linux, "csv-guest").
//! Numbers are little-endian, those of keys and signatures too.
//!
//! A report of version 1 shows what it says under a mask, a word that stands in the report and that nobody signed: only a caller
//! who knows what the report has to say about the report data can tell that the mask is the chip's.

mod certificate;
mod json;
mod report;

pub use certificate::{AuthorityCertificate, KeyUsage, PlatformCertificate, Signature, SigningKey};
pub use json::Evidence;
pub use report::{GuestPolicy, Report, Version};
