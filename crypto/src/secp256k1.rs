// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ECDSA over secp256k1 (SEC 2, 2.4.1), verification alone: a TPM has no such curve, but signers of files have such keys.

use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{Signature, VerifyingKey};

/// Size in bytes of a scalar.
const SCALAR: usize = 32;
/// Size in bytes of an uncompressed point.
const POINT: usize = 65;

/// Tells whether an uncompressed point (SEC 1, 2.3.3) is on the curve.
#[must_use]
pub fn is_point(point: &[u8]) -> bool {
    key(point).is_some()
}

/// Tells whether the key with this uncompressed point signed a digest with the big-endian numbers r and s, which may
/// lack leading zeros.
///
/// Both values of s are taken: the rule that the lower one is the right one is Bitcoin's, not that of FIPS 186-5.
#[must_use]
pub fn verify(point: &[u8], digest: &[u8], r: &[u8], s: &[u8]) -> bool {
    let (Some(key), Some(r), Some(s)) = (key(point), scalar(r), scalar(s)) else { return false };
    let Ok(signature) = Signature::from_scalars(r, s) else { return false };
    key.verify_prehash(digest, &signature.normalize_s()).is_ok()
}

fn key(point: &[u8]) -> Option<VerifyingKey> {
    if point.len() != POINT || point.first() != Some(&4) {
        return None;
    }
    VerifyingKey::from_sec1_bytes(point).ok()
}

fn scalar(bytes: &[u8]) -> Option<[u8; SCALAR]> {
    if bytes.len() > SCALAR {
        return None;
    }
    let mut number = [0; SCALAR];
    number.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k256::ecdsa::SigningKey;
    use k256::ecdsa::signature::hazmat::PrehashSigner;

    fn signed(digest: &[u8]) -> ([u8; POINT], Signature) {
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let point = key.verifying_key().to_sec1_point(false).as_bytes().try_into().unwrap();
        (point, key.sign_prehash(digest).unwrap())
    }

    #[test]
    fn a_signature_is_good_for_its_digest_alone() {
        let (point, signature) = signed(&[3; 32]);
        let (r, s) = signature.split_bytes();
        assert!(verify(&point, &[3; 32], &r, &s));
        assert!(!verify(&point, &[4; 32], &r, &s));
        assert!(!verify(&point, &[3; 32], &s, &r));
    }

    #[test]
    fn zero_the_order_and_a_point_off_the_curve_are_refused() {
        let (mut point, signature) = signed(&[3; 32]);
        let (r, _) = signature.split_bytes();
        assert!(!verify(&point, &[3; 32], &r, &[]));
        assert!(!verify(&point, &[3; 32], &r, &[0xFF; 32]));
        assert!(!verify(&point, &[3; 32], &r, &[1; 33]));
        point[64] ^= 1;
        assert!(!is_point(&point));
    }
}
