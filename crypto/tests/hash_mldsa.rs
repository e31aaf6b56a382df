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
    let digits = text.trim().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn verify(set: MlDsaSet, public: &[u8], context: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
    let digest = RustCrypto::hash(HashAlg::Sha512, &[message]);
    let mu = mu_of_digest::<RustCrypto>(public, context, HashAlg::Sha512, digest.as_bytes())?;
    RustCrypto::mldsa_verify(set, public, mu.as_bytes().try_into().unwrap(), signature)
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
