// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Signatures against their own equations, computed with big integers, and what must be refused.

use crypto_bigint::{NonZero, U576, U1024};

use super::*;
use crate::{EntropyError, RustCrypto};

struct Counting(u8);

impl Rng for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0 += 1;
        out.fill(self.0);
        Ok(())
    }
}

fn key(curve: EccCurve) -> (EccPrivate, EccPoint) {
    let private = EccPrivate::new(curve, b"any number that is small enough").unwrap();
    let public = RustCrypto::ecc_public(&private).unwrap();
    (private, public)
}

fn number(bytes: &[u8]) -> U1024 {
    let mut padded = [0; 128];
    padded[128 - bytes.len()..].copy_from_slice(bytes);
    U1024::from_be_slice(&padded)
}

/// (addend + factor * private) mod n.
fn sum(curve: EccCurve, addend: &[u8], factor: &[u8], private: &[u8]) -> U1024 {
    let order = NonZero::new(number(curve.parameters().n)).unwrap();
    let factor = number(factor).rem(&order);
    let (product, carry) = factor.widening_mul(&number(private));
    assert_eq!(U576::from(&carry), U576::ZERO, "521 bits times 521 bits");
    product.rem(&order).add_mod(&number(addend).rem(&order), &order)
}

#[test]
fn the_sum_is_what_big_integers_say() {
    for curve in EccCurve::ALL {
        let (private, _) = key(curve);
        let addend = EccPrivate::generate(curve, &mut Counting(7)).unwrap();
        for factor in [&[1; 1][..], &[0xff; 32], &[0xa5; 64], &[0; 3]] {
            let expected = sum(curve, addend.as_bytes(), factor, private.as_bytes());
            match RustCrypto::ecc_multiply_add(&private, factor, &addend) {
                Ok(actual) => assert_eq!(number(actual.as_bytes()), expected),
                Err(error) => assert_eq!((error, factor), (CryptoError::PrivateOutOfRange, &[0; 3][..])),
            }
        }
        // A factor that is the order itself is no factor either.
        let refused = RustCrypto::ecc_multiply_add(&private, curve.parameters().n, &addend);
        assert_eq!(refused.err(), Some(CryptoError::PrivateOutOfRange));
    }
}

#[test]
fn a_schnorr_signature_is_over_one_digest_with_one_hash() {
    for curve in EccCurve::ALL {
        let (private, public) = key(curve);
        for alg in [HashAlg::Sha1, HashAlg::Sha256, HashAlg::Sha512, HashAlg::Sha3_384] {
            let digest = RustCrypto::hash(alg, &[b"message"]);
            let signature = sign::<RustCrypto>(&private, alg, digest.as_bytes(), &mut Counting(1)).unwrap();
            assert_eq!(verify::<RustCrypto>(&public, alg, digest.as_bytes(), &signature), Ok(()), "{curve:?} {alg:?}");
            let invalid = Err(CryptoError::SignatureInvalid);
            assert_eq!(verify::<RustCrypto>(&public, alg, b"another", &signature), invalid);
            assert_eq!(verify::<RustCrypto>(&public, HashAlg::Sha384, digest.as_bytes(), &signature), invalid);
            let swapped = EccSignature::new(curve, signature.s(), signature.r()).unwrap();
            assert_eq!(verify::<RustCrypto>(&public, alg, digest.as_bytes(), &swapped), invalid);
        }
    }
}

#[test]
fn s_out_of_range_is_refused() {
    for curve in EccCurve::ALL {
        let (_, public) = key(curve);
        for s in [&[][..], curve.parameters().n] {
            let signature = EccSignature::new(curve, &[1], s).unwrap();
            let result = verify::<RustCrypto>(&public, HashAlg::Sha256, &[7; 32], &signature);
            assert_eq!(result, Err(CryptoError::SignatureInvalid));
        }
    }
}

#[test]
fn the_nonce_depends_on_key_digest_and_randomness() {
    let (private, _) = key(EccCurve::P256);
    let other = EccPrivate::new(EccCurve::P256, b"another number").unwrap();
    let r = |private: &EccPrivate, digest: &[u8], seed| {
        let signature = sign::<RustCrypto>(private, HashAlg::Sha256, digest, &mut Counting(seed)).unwrap();
        std::vec::Vec::from(signature.r())
    };
    let base = r(&private, &[1; 32], 1);
    assert_eq!(r(&private, &[1; 32], 1), base);
    for changed in [r(&other, &[1; 32], 1), r(&private, &[2; 32], 1), r(&private, &[1; 32], 2)] {
        assert_ne!(changed, base);
    }
}

#[test]
fn a_committed_signature_satisfies_the_equation_of_its_verifier() {
    for curve in EccCurve::ALL {
        let (private, public) = key(curve);
        let committed = EccPrivate::generate(curve, &mut Counting(9)).unwrap();
        let commitment = RustCrypto::ecc_public(&committed).unwrap();
        let digest = [0x42; 48];
        let signature =
            sign_committed::<RustCrypto>(&private, &committed, HashAlg::Sha384, &digest, &mut Counting(3)).unwrap();

        // [s]G - [T]Q = [r]G, with T from the k in the signature
        let factor = RustCrypto::hash(HashAlg::Sha384, &[signature.r(), &digest]);
        let reduced = sum(curve, &[], factor.as_bytes(), &[1]).to_be_bytes();
        let size = curve.coordinate_size();
        let claim = EccSignature::new(curve, &reduced.as_ref()[128 - size..], signature.s()).unwrap();
        assert_eq!(RustCrypto::ecc_schnorr_commitment(&public, &claim), Ok(commitment));
    }
}
