// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Our own RSA: generation, both operations, all sizes.

use core::hint::black_box;

use evtpm_crypto::rsa::{RsaKey, RsaPrivate, RsaPublic};

use crate::stub::Anything;

pub(super) fn all(left: &mut [u8], right: &mut [u8]) {
    let exponent = black_box(65537);
    if let Ok(public) = RsaPublic::new(left, exponent) {
        let _ = black_box(public.raise(right));
    }
    if let Ok(public) = RsaPublic::from_be_bytes(left, right) {
        black_box((public.bits(), public.size()));
    }
    let mut private = RsaPrivate::default();
    if private.load(RsaKey { modulus: left, exponent, prime: right }).is_ok() {
        let _ = black_box(private.raise(right, &mut Anything));
        let _ = black_box(private.write_modulus(left));
        let _ = black_box(private.write_prime(right));
    }
    if private.search(black_box(2048), exponent).is_ok() {
        let _ = black_box(private.step(&mut Anything).is_ok());
    }
}
