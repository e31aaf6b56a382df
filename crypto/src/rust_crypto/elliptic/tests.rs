// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The vectors of RFC 6979, the curve parameters against the backend, hedging, and what must be refused.

use hex_literal::hex;

use super::*;
use crate::rust_crypto::selection::Everything;
use crate::{Crypto, EntropyError, HashAlg, RustCrypto, StreamingHash};

struct Counting(u8);

impl Rng for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.0 += 1;
        out.fill(self.0);
        Ok(())
    }
}

fn key(curve: EccCurve) -> EccPrivate {
    EccPrivate::new(curve, b"any number that is small enough").unwrap()
}

fn hash(alg: HashAlg, message: &[u8]) -> crate::Digest {
    let mut hasher = crate::RustHasher::new(alg);
    hasher.update(message);
    hasher.finish()
}

// Curve, private scalar, hash, r, s.
type Vector<'a> = (EccCurve, &'a [u8], HashAlg, &'a [u8], &'a [u8]);

// RFC 6979, appendix "Detailed Example" sections for the prime curves, message "sample".
#[test]
fn without_salt_the_signatures_are_those_of_rfc_6979() {
    let p256 = hex!("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    let p384 = hex!(
        "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
        "96d5724e4c70a825f872c9ea60d2edf5"
    );
    let p521 = hex!(
        "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75"
        "caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538"
    );
    let vectors: [Vector; 3] = [
        (
            EccCurve::P256,
            &p256,
            HashAlg::Sha256,
            &hex!("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"),
            &hex!("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"),
        ),
        (
            EccCurve::P384,
            &p384,
            HashAlg::Sha384,
            &hex!(
                "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
                "81a648152e44acf96e36dd1e80fabe46"
            ),
            &hex!(
                "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
                "a329c145786e679e7b82c71a38628ac8"
            ),
        ),
        (
            EccCurve::P521,
            &p521,
            HashAlg::Sha512,
            &hex!(
                "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f"
                "174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa"
            ),
            &hex!(
                "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af"
                "282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a"
            ),
        ),
    ];
    for (curve, private, alg, r, s) in vectors {
        let private = EccPrivate::new(curve, private).unwrap();
        let digest = hash(alg, b"sample");
        let signature = sign_salted::<Everything>(&private, digest.as_bytes(), &[]).unwrap();
        assert_eq!(signature, EccSignature::new(curve, r, s).unwrap());
        RustCrypto::ecdsa_verify(&RustCrypto::ecc_public(&private).unwrap(), digest.as_bytes(), &signature).unwrap();
    }
}

#[test]
fn the_public_point_of_one_is_the_base_point() {
    for curve in EccCurve::ALL {
        let one = EccPrivate::new(curve, &[1]).unwrap();
        let parameters = curve.parameters();
        assert_eq!(RustCrypto::ecc_public(&one).unwrap(), EccPoint::new(curve, parameters.gx, parameters.gy).unwrap());
    }
}

#[test]
fn order_minus_one_gives_the_base_point_mirrored() {
    for curve in EccCurve::ALL {
        let parameters = curve.parameters();
        let mut largest = parameters.n.to_vec();
        *largest.last_mut().unwrap() -= 1;
        let point = RustCrypto::ecc_public(&EccPrivate::new(curve, &largest).unwrap()).unwrap();
        assert_eq!(point.x(), parameters.gx);
        assert_ne!(point.y(), parameters.gy);
        assert!(RustCrypto::ecc_on_curve(&point));
    }
}

#[test]
fn both_sides_of_a_key_agreement_reach_the_same_point() {
    for curve in EccCurve::ALL {
        let (a, b) = (key(curve), EccPrivate::new(curve, b"another number").unwrap());
        let shared = RustCrypto::ecc_multiply(&a, &RustCrypto::ecc_public(&b).unwrap()).unwrap();
        assert_eq!(shared, RustCrypto::ecc_multiply(&b, &RustCrypto::ecc_public(&a).unwrap()).unwrap());
        assert!(RustCrypto::ecc_on_curve(&shared));
    }
}

#[test]
fn a_point_beside_the_curve_is_refused_everywhere() {
    for curve in EccCurve::ALL {
        let good = RustCrypto::ecc_public(&key(curve)).unwrap();
        let mut y = good.y().to_vec();
        *y.last_mut().unwrap() ^= 1;
        let beside = EccPoint::new(curve, good.x(), &y).unwrap();
        let signature = RustCrypto::ecdsa_sign(&key(curve), &[1; 32], &mut Counting(0)).unwrap();

        assert!(!RustCrypto::ecc_on_curve(&beside));
        assert_eq!(RustCrypto::ecc_multiply(&key(curve), &beside), Err(CryptoError::PointNotOnCurve));
        assert_eq!(RustCrypto::ecdsa_verify(&beside, &[1; 32], &signature), Err(CryptoError::PointNotOnCurve));
    }
}

#[test]
fn neither_zeros_nor_coordinates_from_the_field_prime_on_are_points() {
    for curve in EccCurve::ALL {
        assert!(!RustCrypto::ecc_on_curve(&EccPoint::new(curve, &[], &[]).unwrap()));

        // x = p + gx is the same field element as gx on P-521, where it fits into the bytes.
        let prime = curve.parameters().p;
        assert!(!RustCrypto::ecc_on_curve(&EccPoint::new(curve, prime, curve.parameters().gy).unwrap()));
    }
    let parameters = EccCurve::P521.parameters();
    let mut carry = 0;
    let mut x = [0; 66];
    for ((sum, a), b) in x.iter_mut().zip(parameters.p).zip(parameters.gx).rev() {
        let total = u16::from(*a) + u16::from(*b) + carry;
        *sum = total as u8;
        carry = total >> 8;
    }
    assert!(!RustCrypto::ecc_on_curve(&EccPoint::new(EccCurve::P521, &x, parameters.gy).unwrap()));
}

#[test]
fn fresh_randomness_changes_the_signature_and_repeated_randomness_repeats_it() {
    for curve in EccCurve::ALL {
        let private = key(curve);
        let mut rng = Counting(0);
        let first = RustCrypto::ecdsa_sign(&private, &[9; 48], &mut rng).unwrap();
        let second = RustCrypto::ecdsa_sign(&private, &[9; 48], &mut rng).unwrap();
        assert_ne!(first.r(), second.r());
        assert_eq!(first, RustCrypto::ecdsa_sign(&private, &[9; 48], &mut Counting(0)).unwrap());
    }
}

#[test]
fn a_stuck_generator_does_not_repeat_a_nonce_for_another_digest() {
    let private = key(EccCurve::P256);
    let one = RustCrypto::ecdsa_sign(&private, &[1; 32], &mut Counting(0)).unwrap();
    let two = RustCrypto::ecdsa_sign(&private, &[2; 32], &mut Counting(0)).unwrap();
    assert_ne!(one.r(), two.r());
}

#[test]
fn digests_of_any_length_are_signed_and_the_bits_beyond_the_order_do_not_count() {
    for curve in EccCurve::ALL {
        let (private, public) = (key(curve), RustCrypto::ecc_public(&key(curve)).unwrap());
        for length in [0, 1, 20, 32, 48, 64, 66, 80] {
            let digest = std::vec![0xa5; length];
            let signature = RustCrypto::ecdsa_sign(&private, &digest, &mut Counting(0)).unwrap();
            RustCrypto::ecdsa_verify(&public, &digest, &signature).unwrap();

            if length > curve.coordinate_size() {
                RustCrypto::ecdsa_verify(&public, &digest[..curve.coordinate_size()], &signature).unwrap();
            } else if length > 0 {
                let mut other = digest;
                other[0] ^= 1;
                assert_eq!(RustCrypto::ecdsa_verify(&public, &other, &signature), Err(CryptoError::SignatureInvalid));
            }
        }
    }
}

#[test]
fn signature_numbers_outside_one_to_order_minus_one_are_invalid() {
    for curve in EccCurve::ALL {
        let (private, public) = (key(curve), RustCrypto::ecc_public(&key(curve)).unwrap());
        let good = RustCrypto::ecdsa_sign(&private, &[7; 32], &mut Counting(0)).unwrap();
        for bad in [&[][..], curve.parameters().n] {
            for signature in [EccSignature::new(curve, bad, good.s()), EccSignature::new(curve, good.r(), bad)] {
                assert_eq!(
                    RustCrypto::ecdsa_verify(&public, &[7; 32], &signature.unwrap()),
                    Err(CryptoError::SignatureInvalid)
                );
            }
        }
    }
}

#[test]
fn operands_of_different_curves_do_not_mix() {
    let (p256, p384) = (key(EccCurve::P256), key(EccCurve::P384));
    let signature = RustCrypto::ecdsa_sign(&p256, &[7; 32], &mut Counting(0)).unwrap();
    let public = RustCrypto::ecc_public(&p384).unwrap();
    assert_eq!(RustCrypto::ecc_multiply(&p256, &public), Err(CryptoError::CurveMismatch));
    assert_eq!(RustCrypto::ecdsa_verify(&public, &[7; 32], &signature), Err(CryptoError::CurveMismatch));
}

#[test]
fn a_failing_generator_gives_no_signature() {
    struct Broken;
    impl Rng for Broken {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
            Err(EntropyError::ReseedRequired)
        }
    }
    let refused = RustCrypto::ecdsa_sign(&key(EccCurve::P256), &[7; 32], &mut Broken);
    assert_eq!(refused, Err(CryptoError::Entropy(EntropyError::ReseedRequired)));
}
