// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Evidence of TEEs other than SEV-SNP, byte for byte: one module for each.
//!
//! Nothing here is verified: a parsed quote is what somebody sent. Values borrow the received bytes, because signatures
//! are checked over those and never over a re-encoding.
//!
//! Documents: Intel *TDX DCAP Quote Generation Library and Quote Verification Library* and *SGX ECDSA Quote Library
//! Reference* (quotes of versions 3 to 5); RFC 9052 (COSE); RFC 8949 (CBOR); AWS *Nitro Enclaves attestation process*;
//! RFC 9783 (PSA tokens) and draft-ffm-rats-cca-token (Arm CCA); DMTF DSP0274 1.1 (SPDM); TCG
//! *Reference Integrity Manifest Information Model* 1.01 with W3C *XML Signature* 1.1 and *Canonical XML* 1.1; OpenHCL's attestation report.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bytes;
pub mod cbor;
pub mod cca;
pub mod cmw;
pub mod corim;
pub mod cose;
pub mod csv;
pub mod ek_certificate;
mod error;
pub mod go_tpm_tools;
pub mod hcl;
pub mod jwk;
pub mod nitro;
pub mod pcs;
pub mod psa;
pub mod quote;
pub mod rim;
pub mod s390;
pub mod software;
pub mod spdm;
pub mod uvm;
mod xml;

pub use error::Error;
