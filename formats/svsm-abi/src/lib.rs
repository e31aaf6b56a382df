// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SVSM calling area, protocol numbers, attestation and vTPM request layouts, manifests.
#![no_std]
#![forbid(unsafe_code)]
