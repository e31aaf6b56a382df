// SPDX-License-Identifier: Apache-2.0 OR MIT
//! AMD SEV-SNP wire formats: reports, TCB versions, certificate tables, guest messages, ID blocks, VMSAs.
#![no_std]
#![forbid(unsafe_code)]
