// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that crypto says above its backends: HMAC, key derivation, paddings, noise tests, the generator.

use core::hint::black_box;

use evtpm_crypto::drbg::{HmacDrbg, RandomGenerator};
use evtpm_crypto::padding::{mgf1_xor, oaep, pkcs1, pss, raw};
use evtpm_crypto::{Cmac, Digest, EccCurve, EccPoint, EccPrivate, EccSignature, HashAlg, Hmac, Rng as _};
use evtpm_crypto::{constant_time_eq, ecc_encryption, kdfa, kdfe, schnorr, xor_obfuscate};

use crate::stub::{Anything, Hasher};

pub(super) fn all(left: &mut [u8], right: &mut [u8]) {
    let alg = black_box(HashAlg::Sha256);
    keyed_hash(alg, left, right);
    derivation(alg, left, right);
    paddings(alg, left, right);
    generator(left, right);
    points(left, right);
    block_mac(left, right);
    signatures(left, right);
}

fn keyed_hash(alg: HashAlg, key: &[u8], data: &[u8]) {
    let mac = Hmac::<Hasher>::new(alg, key).chain(data);
    black_box(mac.clone().verify(key));
    black_box(mac.finish());
    black_box(Digest::from_slice(data));
    black_box(constant_time_eq(key, data));
}

fn derivation(alg: HashAlg, key: &[u8], out: &mut [u8]) {
    let bits = black_box(256);
    let _ = black_box(kdfa::<Anything>(alg, key, key, key, key, bits, out));
    let _ = black_box(kdfe::<Anything>(alg, key, key, key, key, bits, out));
    let _ = black_box(xor_obfuscate::<Anything>(alg, key, key, key, out));
}

fn paddings(alg: HashAlg, message: &mut [u8], block: &mut [u8]) {
    let (length, bits) = (black_box(32), black_box(2048));
    let rng = &mut Anything;
    mgf1_xor::<Hasher>(alg, message, block);
    let _ = black_box(oaep::encode::<Hasher>(alg, message, message, rng, block));
    let _ = black_box(oaep::decode::<Hasher>(alg, &[], block, message));
    let _ = black_box(pkcs1::encode_signature(alg, message, block));
    let _ = black_box(pkcs1::verify_signature(alg, message, block));
    let _ = black_box(pkcs1::encode_encryption(message, rng, block));
    let _ = black_box(pkcs1::decode_encryption(block, message));
    let _ = black_box(pss::encode::<Hasher>(alg, message, length, bits, rng, block));
    let _ = black_box(pss::verify::<Hasher>(alg, message, black_box(pss::Salt::Any), bits, block));
    let _ = black_box(raw::encode(message, block));
}

fn generator(seed: &[u8], out: &mut [u8]) {
    let mut drbg = HmacDrbg::<Anything>::new(seed, seed, seed);
    drbg.reseed(seed, seed);
    let _ = black_box(drbg.generate(seed, out));
    if let Ok(mut generator) = RandomGenerator::<Anything>::start(&mut Anything, seed) {
        let _ = black_box(generator.reseed(&mut Anything, seed));
        let _ = black_box(generator.fill(out));
    }
}

fn block_mac(left: &[u8], right: &[u8]) {
    let _ = black_box(Cmac::restore(left));
    let Ok(mut mac) = Cmac::new(left) else { return };
    let _ = black_box(mac.update::<Anything>(right));
    black_box(mac.save());
    let _ = black_box(mac.finish::<Anything>());
}

fn signatures(left: &mut [u8], right: &[u8]) {
    let (curve, alg) = (black_box(EccCurve::BnP256), black_box(HashAlg::Sha512));
    let (Ok(private), Ok(point)) = (EccPrivate::new(curve, left), EccPoint::with_reduced_x(curve, left, right)) else {
        return;
    };
    if let Ok(signature) = EccSignature::new(curve, left, right) {
        let _ = black_box(schnorr::verify::<Anything>(&point, alg, right, &signature));
    }
    let _ = black_box(schnorr::sign::<Anything>(&private, alg, right, &mut Anything));
    let _ = black_box(schnorr::sign_committed::<Anything>(&private, &private, alg, right, &mut Anything));
    let _ = black_box(ecc_encryption::encrypt::<Anything>(&point, alg, left, &mut Anything));
    let _ = black_box(ecc_encryption::decrypt::<Anything>(&private, alg, &point, left, right));
}

fn points(left: &[u8], right: &[u8]) {
    let curve = black_box(EccCurve::P384);
    let _ = black_box(EccPoint::new(curve, left, right));
    let _ = black_box(EccSignature::new(curve, left, right));
    let _ = black_box(EccPrivate::new(curve, left));
    let _ = black_box(EccPrivate::generate(curve, &mut Anything));
}
