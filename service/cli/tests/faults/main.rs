// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What becomes of machines when the verifier, its database, its disk, its clock or its clients fail: real processes, real
//! quotes, and at the end the verifier's own books. Small figures by default; `cargo xtask faults` takes the large ones.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows it in test functions, and these are their helpers"
)]

mod books;
mod clients;
mod clock;
mod crashes;
mod disk;
mod messages;
mod postgres;
mod stage;
