// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Other people's software, recordings and codecs against our TPM; docs/foreign tells the results.
#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a harness that cannot do its work fails the test that uses it"
)]

pub mod host;
pub mod overheard;
pub mod packet;
pub mod recording;
pub mod replay;
pub mod second_opinion;
pub mod server;
pub mod tools;
