// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ECDSA by AWS-LC, for the pairs of curve and hash that it has; our own arithmetic for the others.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self, EcdsaVerificationAlgorithm, UnparsedPublicKey};
use evtpm_crypto::{CryptoError, EccCurve, EccPoint, EccSignature};
use evtpm_verify::backend::{Backend, PureRust};

/// SEC 1: an uncompressed point.
const UNCOMPRESSED: &[u8] = &[4];

/// AWS-LC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AwsLc;

impl Backend for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc-rs"
    }

    fn ecdsa_verify(&self, public: &EccPoint, hashed: &[u8], signature: &EccSignature) -> Result<(), CryptoError> {
        let Some((algorithm, hash)) = algorithm(public.curve(), hashed.len()) else {
            return PureRust.ecdsa_verify(public, hashed, signature);
        };
        if public.curve() != signature.curve() {
            return Err(CryptoError::CurveMismatch);
        }
        let invalid = |_| CryptoError::SignatureInvalid;
        let digest = Digest::import_less_safe(hashed, hash).map_err(invalid)?;
        let key = UnparsedPublicKey::new(algorithm, [UNCOMPRESSED, public.x(), public.y()].concat());
        key.verify_digest(&digest, &[signature.r(), signature.s()].concat()).map_err(invalid)
    }
}

fn algorithm(
    curve: EccCurve,
    digest_size: usize,
) -> Option<(&'static EcdsaVerificationAlgorithm, &'static digest::Algorithm)> {
    match (curve, digest_size) {
        (EccCurve::P256, 32) => Some((&signature::ECDSA_P256_SHA256_FIXED, &digest::SHA256)),
        (EccCurve::P384, 48) => Some((&signature::ECDSA_P384_SHA384_FIXED, &digest::SHA384)),
        (EccCurve::P521, 64) => Some((&signature::ECDSA_P521_SHA512_FIXED, &digest::SHA512)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::{Crypto as _, EccPrivate, HashAlg, RustCrypto};

    use super::*;
    use crate::random::SystemRng;

    fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    }

    #[test]
    fn both_backends_accept_and_refuse_the_same() {
        for curve in [EccCurve::P256, EccCurve::P384, EccCurve::P521] {
            let private = EccPrivate::generate(curve, &mut SystemRng).unwrap();
            let public = RustCrypto::ecc_public(&private).unwrap();
            for hash in [HashAlg::Sha256, HashAlg::Sha384, HashAlg::Sha512] {
                let digest = RustCrypto::hash(hash, &[b"a quote"]);
                let digest = digest.as_bytes();
                let signature = RustCrypto::ecdsa_sign(&private, digest, &mut SystemRng).unwrap();
                assert_eq!(AwsLc.ecdsa_verify(&public, digest, &signature), Ok(()), "{curve:?} {hash:?}");
                for bit in (0..digest.len() * 8).step_by(37) {
                    let other = flipped(digest, bit);
                    let ours = PureRust.ecdsa_verify(&public, &other, &signature);
                    assert_eq!(AwsLc.ecdsa_verify(&public, &other, &signature), ours, "{curve:?} {hash:?} bit {bit}");
                }
                for bit in (0..signature.r().len() * 8).step_by(37) {
                    let Ok(other) = EccSignature::new(curve, &flipped(signature.r(), bit), signature.s()) else {
                        continue;
                    };
                    assert!(AwsLc.ecdsa_verify(&public, digest, &other).is_err(), "{curve:?} {hash:?} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn a_point_that_is_not_on_its_curve_is_refused() {
        let private = EccPrivate::generate(EccCurve::P256, &mut SystemRng).unwrap();
        let public = RustCrypto::ecc_public(&private).unwrap();
        let digest = RustCrypto::hash(HashAlg::Sha256, &[b"a quote"]);
        let signature = RustCrypto::ecdsa_sign(&private, digest.as_bytes(), &mut SystemRng).unwrap();
        let point = EccPoint::new(EccCurve::P256, public.x(), &flipped(public.y(), 0)).unwrap();
        assert!(AwsLc.ecdsa_verify(&point, digest.as_bytes(), &signature).is_err());
    }
}
