// SPDX-License-Identifier: Apache-2.0 OR MIT
//! TCG event logs and IMA measurement lists: parsing and replay.
#![no_std]
#![forbid(unsafe_code)]
