// SPDX-License-Identifier: Apache-2.0 OR MIT
//! ML-KEM, ML-DSA and Ed25519 against a second implementation of each: the same keys, and each takes what the other makes.
#![cfg(test)]

use ed25519_dalek::ed25519::signature::Signer as _;
use evtpm_crypto::drbg::HmacDrbg;
use evtpm_crypto::{
    Crypto, EdDsa, HashAlg, MlDsaSet, MlKemSet, Rng, RustCrypto, StreamingHash, mu_of_digest, mu_of_message,
};
use fips203::traits::{Decaps as _, Encaps as _, KeyGen as _, SerDes as _};
use fips204::pre_hash;
use fips204::traits::{KeyGen as _, SerDes as _, Signer as _, Verifier as _};

/// How many keys of each kind.
const ROUNDS: usize = 20;

fn rng(seed: &[u8]) -> HmacDrbg<RustCrypto> {
    HmacDrbg::new(seed, &[], b"second opinion")
}

fn bytes<const N: usize>(rng: &mut dyn Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes).unwrap();
    bytes
}

macro_rules! mlkem {
    ($($name:ident $set:ident $other:ident)*) => { $(
        #[test]
        fn $name() {
            let (set, mut rng) = (MlKemSet::$set, rng(stringify!($name).as_bytes()));
            for _ in 0..ROUNDS {
                let seed: [u8; 64] = bytes(&mut rng);
                let (encaps, decaps) =
                    fips203::$other::KG::keygen_from_seed(seed[..32].try_into().unwrap(), seed[32..].try_into().unwrap());
                let mut public = vec![0; set.public_size()];
                RustCrypto::mlkem_public(set, &seed, &mut public).unwrap();
                assert_eq!(public, encaps.clone().into_bytes());

                let mut ciphertext = vec![0; set.ciphertext_size()];
                let shared = RustCrypto::mlkem_encapsulate(set, &public, &mut rng, &mut ciphertext).unwrap();
                let foreign = fips203::$other::CipherText::try_from_bytes(ciphertext.as_slice().try_into().unwrap());
                assert_eq!(decaps.try_decaps(&foreign.unwrap()).unwrap().into_bytes(), *shared);

                let (shared, foreign) = encaps.encaps_from_seed(&bytes(&mut rng));
                let mut foreign = foreign.into_bytes();
                let ours = RustCrypto::mlkem_decapsulate(set, &seed, &foreign).unwrap();
                assert_eq!(*ours, shared.into_bytes());

                // Implicit rejection: a ciphertext that nobody made gives a secret too, the same one with both.
                foreign[7] ^= 1;
                let ours = RustCrypto::mlkem_decapsulate(set, &seed, &foreign).unwrap();
                let changed = fips203::$other::CipherText::try_from_bytes(foreign).unwrap();
                assert_eq!(*ours, decaps.try_decaps(&changed).unwrap().into_bytes());
            }
        }
    )* };
}

mlkem! {
    mlkem_512 MlKem512 ml_kem_512
    mlkem_768 MlKem768 ml_kem_768
    mlkem_1024 MlKem1024 ml_kem_1024
}

macro_rules! mldsa {
    ($($name:ident $set:ident $other:ident)*) => { $(
        #[test]
        fn $name() {
            let (set, mut rng) = (MlDsaSet::$set, rng(stringify!($name).as_bytes()));
            for round in 0..ROUNDS {
                let seed: [u8; 32] = bytes(&mut rng);
                let (verifier, signer) = fips204::$other::KG::keygen_from_seed(&seed);
                let mut public = vec![0; set.public_size()];
                RustCrypto::mldsa_public(set, &seed, &mut public).unwrap();
                assert_eq!(public, verifier.clone().into_bytes());

                let message = bytes::<100>(&mut rng);
                let context = &message[..round];
                let mut hasher = mu_of_message::<RustCrypto>(&public, context).unwrap();
                hasher.update(&message);
                let mu = hasher.finish().as_bytes().try_into().unwrap();
                let mut signature = vec![0; set.signature_size()];
                RustCrypto::mldsa_sign(set, &seed, &mu, &mut rng, &mut signature).unwrap();
                let ours = signature.as_slice().try_into().unwrap();
                assert!(verifier.verify(&message, &ours, context));
                assert!(!verifier.verify(&message, &ours, b"another context"));
                let foreign = signer.try_sign_with_seed(&bytes(&mut rng), &message, context).unwrap();
                RustCrypto::mldsa_verify(set, &public, &mu, &foreign).unwrap();

                for (alg, identifier) in [
                    (HashAlg::Sha256, &pre_hash::SHA2_256[..]),
                    (HashAlg::Sha384, &pre_hash::SHA2_384),
                    (HashAlg::Sha512, &pre_hash::SHA2_512),
                    (HashAlg::Sha3_256, &pre_hash::SHA3_256),
                    (HashAlg::Sha3_384, &pre_hash::SHA3_384),
                    (HashAlg::Sha3_512, &pre_hash::SHA3_512),
                    (HashAlg::Shake256_512, &pre_hash::SHAKE_256),
                ] {
                    let digest = RustCrypto::hash(alg, &[&message]);
                    let mu = mu_of_digest::<RustCrypto>(&public, context, alg, digest.as_bytes()).unwrap();
                    let mu = mu.as_bytes().try_into().unwrap();
                    let mut signature = vec![0; set.signature_size()];
                    RustCrypto::mldsa_sign(set, &seed, &mu, &mut rng, &mut signature).unwrap();
                    let ours = signature.as_slice().try_into().unwrap();
                    assert!(verifier.hash_verify(digest.as_bytes(), &ours, context, identifier));
                }
            }
        }
    )* };
}

mldsa! {
    mldsa_44 MlDsa44 ml_dsa_44
    mldsa_65 MlDsa65 ml_dsa_65
    mldsa_87 MlDsa87 ml_dsa_87
}

#[test]
fn ed25519_signs_the_bytes_that_dalek_signs() {
    let mut rng = rng(b"ed25519");
    for round in 0..ROUNDS {
        let seed: [u8; 32] = bytes(&mut rng);
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        let public = RustCrypto::ed25519_public(&seed).unwrap();
        assert_eq!(public, key.verifying_key().to_bytes());
        let message = &bytes::<64>(&mut rng)[..round];
        let signature = RustCrypto::ed25519_sign(&seed, EdDsa::Pure, &[message]).unwrap();
        assert_eq!(signature, key.sign(message).to_bytes());

        let digest = RustCrypto::hash(HashAlg::Sha512, &[message]);
        let signature = RustCrypto::ed25519_sign(&seed, EdDsa::PreHash, &[digest.as_bytes()]).unwrap();
        let prehashed = <ed25519_dalek::Sha512 as ed25519_dalek::Digest>::new_with_prefix(message);
        assert_eq!(signature, key.sign_prehashed(prehashed, None).unwrap().to_bytes());
    }
}
