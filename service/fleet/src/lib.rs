// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Machines by the hundred that nobody built, and a verifier in a process of its own that they attest to.
//!
//! Each machine is an engine inside the SVSM's services on a simulated chip: its quotes, reports and logs are real ones.
//! `evtpm bench fleet` measures with them, and the fault tests ask what becomes of them.
#![forbid(unsafe_code)]

mod boot;
mod files;
mod keylime;
mod machine;
mod server;
mod world;

pub use boot::{Played, RecordedBoot, measure_files};
pub use files::{entry, file, ima_policy};
pub use keylime::KeylimeTpm;
pub use machine::{Machine, Round};
pub use server::{ServerProcess, Setup};
pub use world::World;
