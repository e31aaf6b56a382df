// SPDX-License-Identifier: Apache-2.0 OR MIT
//! That secret types wipe themselves, as far as safe Rust can see it: memory cannot be looked at after a drop, but a
//! type that has nothing to do on drop certainly wipes nothing; and none of them shows what it holds.
#![cfg(test)]

use core::mem::needs_drop;

use evtpm_crypto::drbg::{HmacDrbg, RandomGenerator};
use evtpm_crypto::rsa::RsaPrivate;
use evtpm_crypto::{Cmac, EccCurve, EccPoint, EccPrivate, HashAlg, Hmac, RustCrypto, RustHasher};
use zeroize::Zeroize;

#[test]
fn every_secret_type_does_something_on_drop() {
    assert!(needs_drop::<EccPrivate>());
    assert!(needs_drop::<RsaPrivate>());
    assert!(needs_drop::<Cmac>());
    assert!(needs_drop::<RustHasher>(), "keys run through hashes");
    assert!(needs_drop::<Hmac<RustHasher>>());
    assert!(needs_drop::<HmacDrbg<RustCrypto>>());
    assert!(needs_drop::<RandomGenerator<RustCrypto>>());
}

#[test]
fn a_shared_point_that_is_wiped_is_zero() {
    let parameters = EccCurve::P384.parameters();
    let mut point = EccPoint::new(EccCurve::P384, parameters.gx, parameters.gy).unwrap();
    point.zeroize();
    assert_eq!((point.x(), point.y()), (&[0; 48][..], &[0; 48][..]));
}

#[test]
fn no_secret_type_shows_what_it_holds() {
    // 0xA7 is 167, and no other number in what is printed.
    let secret = [0xA7; 32];
    let shown = [
        format!("{:?}", EccPrivate::new(EccCurve::P256, &secret).unwrap()),
        format!("{:?}", Cmac::new(&secret).unwrap()),
        format!("{:?}", Hmac::<RustHasher>::new(HashAlg::Sha256, &secret)),
    ];
    for text in shown {
        assert!(!text.contains("167") && !text.to_lowercase().contains("a7a7"), "{text}");
    }
}
