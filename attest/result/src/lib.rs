// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Attestation results: EAR encoding, signing, checking.
#![forbid(unsafe_code)]
