// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the host of a test machine and the program inside it must agree on: archives, plans, names.
#![forbid(unsafe_code)]

pub mod cpio;
pub mod plan;
