// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is linked into the image: each probe calls one part of a crate with inputs that could be anything.

mod crypto;
mod formats;
mod rsa;
mod tpm;

use core::hint::black_box;

/// Calls every probe.
pub(crate) fn all() {
    let mut memory = black_box([0_u8; 8192]);
    let (size, split) = (black_box(0), black_box(0));
    let bytes = memory.get_mut(..size).unwrap_or_default();
    let (left, right) = bytes.split_at_mut_checked(split).unwrap_or_default();
    crypto::all(left, right);
    rsa::all(left, right);
    formats::all(left, right);
    tpm::all(left, right);
}
