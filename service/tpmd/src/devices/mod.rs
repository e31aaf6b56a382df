// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TPMs that can be served: the engine by itself, or as an e-vTPM inside an SVSM.

pub mod engine;
pub mod platform;
pub mod svsm;
