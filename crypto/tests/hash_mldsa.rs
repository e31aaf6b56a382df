// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HashML-DSA (FIPS 204, "Pre-Hash ML-DSA") against signatures that NIST publishes, which neither we nor a crate that we
//! compare with have made.

use evtpm_crypto::{Crypto, CryptoError, HashAlg, MlDsaSet, RustCrypto, mu_of_digest};
use std::collections::HashMap;

const VECTORS: &str = include_str!("vectors/HashML-DSA-SHA2-512.rsp");

/// The blocks of a response file, each with its values by name.
fn blocks() -> Vec<HashMap<&'static str, &'static str>> {
    let is_value = |line: &&str| line.contains(" =") && !line.starts_with('#');
    VECTORS
        .split("\n\n")
        .map(|block| block.lines().filter(is_value).filter_map(|line| line.split_once(" =")).collect())
        .filter(|block: &HashMap<_, _>| !block.is_empty())
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = text.trim().as_bytes().iter().filter_map(digit).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

fn verify(set: MlDsaSet, public: &[u8], context: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    let digest = RustCrypto::hash(HashAlg::Sha512, &[message]);
    let mu = mu_of_digest::<RustCrypto>(public, context, HashAlg::Sha512, digest.as_bytes())?;
    let (mu, _) = mu.as_bytes().split_first_chunk().ok_or(CryptoError::SelfTest)?;
    RustCrypto::mldsa_verify(set, public, mu, signature)
}

#[test]
fn the_signatures_that_nist_publishes_verify_and_no_changed_one_does() {
    let mut sets = Vec::new();
    for block in blocks() {
        let set = match block["parameterSet"].trim() {
            "ML-DSA-44" => MlDsaSet::MlDsa44,
            "ML-DSA-65" => MlDsaSet::MlDsa65,
            "ML-DSA-87" => MlDsaSet::MlDsa87,
            other => panic!("no parameter set is called {other}"),
        };
        let [public, mut message, mut context, mut signature] =
            ["pk", "message", "context", "signature"].map(|name| unhex(block[name]));
        let name = block["tcId"];
        assert_eq!(verify(set, &public, &context, &message, &signature), Ok(()), "tcId{name}");

        let refused = Err(CryptoError::SignatureInvalid);
        signature[7] ^= 1;
        assert_eq!(verify(set, &public, &context, &message, &signature), refused, "tcId{name}: signature");
        signature[7] ^= 1;
        message[0] ^= 1;
        assert_eq!(verify(set, &public, &context, &message, &signature), refused, "tcId{name}: message");
        message[0] ^= 1;
        // The context is hashed with its length before it.
        if context.pop().is_none() {
            context.push(0);
        }
        assert_eq!(verify(set, &public, &context, &message, &signature), refused, "tcId{name}: context");
        sets.push(set);
    }
    assert_eq!(sets, [MlDsaSet::MlDsa44, MlDsaSet::MlDsa65, MlDsaSet::MlDsa87]);
}
