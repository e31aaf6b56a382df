// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is linked into the image: each probe calls one part of a crate with inputs that could be anything.

use core::hint::black_box;

use evtpm_crypto::{Digest, HashAlg, Hmac};

use crate::stub::Hasher;

/// Calls every probe.
pub(crate) fn all() {
    let mut memory = black_box([0_u8; 8192]);
    let (size, split) = (black_box(0), black_box(0));
    let bytes = memory.get_mut(..size).unwrap_or_default();
    let (left, right) = bytes.split_at_mut_checked(split).unwrap_or_default();
    hmac(left, right);
}

fn hmac(key: &[u8], data: &[u8]) {
    let mac = Hmac::<Hasher>::new(black_box(HashAlg::Sha256), key).chain(data);
    black_box(mac.clone().verify(key));
    black_box(mac.finish());
    black_box(Digest::from_slice(data));
}
