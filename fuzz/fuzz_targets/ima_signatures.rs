// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Hands libFuzzer's inputs to the target `ima_signatures`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| evtpm_fuzz_targets::run("ima_signatures", input));
