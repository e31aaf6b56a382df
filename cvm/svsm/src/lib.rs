// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The e-vTPM as an SVSM service: EK manufacture, binding to the chip, vTPM and attestation protocols.
#![no_std]
#![forbid(unsafe_code)]
