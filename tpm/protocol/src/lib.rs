// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What both sides of a TPM compute: Names, credentials, templates, attestation digests.
#![no_std]
#![forbid(unsafe_code)]
