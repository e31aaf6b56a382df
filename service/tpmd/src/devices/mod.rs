// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The TPMs that can be served: the engine by itself, or as an e-vTPM inside an SVSM.

pub mod engine;
pub mod platform;
pub mod svsm;

use evtpm_engine::Locality;

/// Gives the locality that a number stands for: "if(locality > 4 && locality < 32) locality = 0;" (the reference's `LocalityPlat.c`).
fn locality(number: u8) -> Locality {
    Locality::new(number).unwrap_or(Locality::ZERO)
}
