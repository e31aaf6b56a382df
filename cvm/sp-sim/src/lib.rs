// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An honest simulated AMD secure processor; its root is named SIMULATED.
#![no_std]
#![forbid(unsafe_code)]
