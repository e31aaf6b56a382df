// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The arithmetic of tests: [`RustCrypto`], of which all but hashing may be answered from a record ([`super::answers`]).

use super::answers::{NoRandomness, Outcome, Question};
use evtpm_crypto::{
    CipherMode, Crypto, CryptoError, Digest, Direction, EccPoint, EccPrivate, EccSignature, EdDsa, HashAlg, MU_SIZE,
    MlDsaSet, MlKemSet, Offer, Rng, RsaKey, RustCrypto, SharedKey,
};
use std::format;
use std::string::String;
use std::vec::Vec;

/// Everything that a platform's arithmetic does.
#[derive(Debug)]
pub(crate) struct TestCrypto;

/// The memory of RSA, and the question that the next step of a search is.
#[derive(Debug, Default)]
pub(crate) struct TestRsaMemory {
    memory: <RustCrypto as Crypto>::RsaMemory,
    search: Option<Question>,
}

/// Asks for what needs no randomness.
fn ask(operation: &str, inputs: &[&[u8]], compute: impl FnOnce() -> Outcome) -> Outcome {
    Question::new(operation, inputs).answer(&mut NoRandomness, |_| compute())
}

/// Asks for bytes that go where the caller wants them.
fn ask_into(
    out: &mut [u8],
    operation: &str,
    inputs: &[&[u8]],
    compute: impl FnOnce(&mut [u8]) -> Result<(), CryptoError>,
) -> Result<(), CryptoError> {
    let answer = ask(&format!("{operation} {}", out.len()), inputs, || compute(out).map(|()| out.to_vec()))?;
    out.copy_from_slice(&answer);
    Ok(())
}

/// Asks for an array.
fn ask_array<const N: usize>(
    operation: &str,
    inputs: &[&[u8]],
    compute: impl FnOnce() -> Result<[u8; N], CryptoError>,
) -> Result<[u8; N], CryptoError> {
    let answer = ask(operation, inputs, || compute().map(Vec::from))?;
    Ok(answer.try_into().unwrap())
}

/// Asks for what says nothing more than that it did not refuse.
fn ask_check(
    operation: &str,
    inputs: &[&[u8]],
    compute: impl FnOnce() -> Result<(), CryptoError>,
) -> Result<(), CryptoError> {
    ask_array(operation, inputs, || compute().map(|()| [])).map(|[]| ())
}

/// Asks whether something is so.
fn ask_whether(operation: &str, inputs: &[&[u8]], compute: impl FnOnce() -> bool) -> bool {
    ask_array(operation, inputs, || Ok([u8::from(compute())])) == Ok([1])
}

fn point_bytes(point: &EccPoint) -> Vec<u8> {
    [point.x(), point.y()].concat()
}

fn signature_bytes(signature: &EccSignature) -> Vec<u8> {
    [signature.r(), signature.s()].concat()
}

fn point(name: EccPoint, answer: Outcome) -> Result<EccPoint, CryptoError> {
    let answer = answer?;
    let (x, y) = answer.split_at(answer.len() / 2);
    EccPoint::new(name.curve(), x, y)
}

/// The names of an operation and of the curves or parameter sets that it is for.
fn named(operation: &str, what: &[&dyn core::fmt::Debug]) -> String {
    format!("{operation} {what:?}")
}

impl Crypto for TestCrypto {
    const OFFER: Offer = RustCrypto::OFFER;

    type Hasher = <RustCrypto as Crypto>::Hasher;
    type RsaMemory = TestRsaMemory;

    fn hash(alg: HashAlg, parts: &[&[u8]]) -> Digest {
        RustCrypto::hash(alg, parts)
    }

    fn cipher(
        key: &[u8],
        mode: CipherMode,
        direction: Direction,
        iv: &mut [u8; 16],
        data: &mut [u8],
    ) -> Result<(), CryptoError> {
        let message = data.to_vec();
        let mut out = [&iv[..], &message].concat();
        ask_into(&mut out, &named("cipher", &[&mode, &direction]), &[key, iv, &message], |out| {
            let (iv, data) = out.split_at_mut(16);
            RustCrypto::cipher(key, mode, direction, iv.try_into().unwrap(), data)
        })?;
        iv.copy_from_slice(&out[..16]);
        data.copy_from_slice(&out[16..]);
        Ok(())
    }

    fn ecc_public(private: &EccPrivate) -> Result<EccPoint, CryptoError> {
        let curve = private.curve();
        let answer = ask(&named("ecc_public", &[&curve]), &[private.as_bytes()], || {
            RustCrypto::ecc_public(private).map(|public| point_bytes(&public))
        });
        point(EccPoint::new(curve, &[], &[])?, answer)
    }

    fn ecc_on_curve(point: &EccPoint) -> bool {
        let operation = named("ecc_on_curve", &[&point.curve()]);
        ask_whether(&operation, &[&point_bytes(point)], || RustCrypto::ecc_on_curve(point))
    }

    fn ecc_multiply(private: &EccPrivate, factor: &EccPoint) -> Result<EccPoint, CryptoError> {
        let operation = named("ecc_multiply", &[&private.curve(), &factor.curve()]);
        let answer = ask(&operation, &[private.as_bytes(), &point_bytes(factor)], || {
            RustCrypto::ecc_multiply(private, factor).map(|product| point_bytes(&product))
        });
        point(*factor, answer)
    }

    fn ecdsa_sign(private: &EccPrivate, digest: &[u8], rng: &mut dyn Rng) -> Result<EccSignature, CryptoError> {
        let curve = private.curve();
        let mut question = Question::new(&named("ecdsa_sign", &[&curve]), &[private.as_bytes(), digest]);
        let answer = question.answer(rng, |rng| {
            RustCrypto::ecdsa_sign(private, digest, rng).map(|signature| signature_bytes(&signature))
        })?;
        let (r, s) = answer.split_at(answer.len() / 2);
        EccSignature::new(curve, r, s)
    }

    fn ecdsa_verify(public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError> {
        let operation = named("ecdsa_verify", &[&public.curve(), &signature.curve()]);
        ask_check(&operation, &[&point_bytes(public), digest, &signature_bytes(signature)], || {
            RustCrypto::ecdsa_verify(public, digest, signature)
        })
    }

    fn ecc_multiply_add(private: &EccPrivate, factor: &[u8], addend: &EccPrivate) -> Result<EccPrivate, CryptoError> {
        let operation = named("ecc_multiply_add", &[&private.curve(), &addend.curve()]);
        let answer = ask(&operation, &[private.as_bytes(), factor, addend.as_bytes()], || {
            RustCrypto::ecc_multiply_add(private, factor, addend).map(|sum| sum.as_bytes().to_vec())
        })?;
        EccPrivate::new(private.curve(), &answer)
    }

    fn ecc_schnorr_commitment(public: &EccPoint, signature: &EccSignature) -> Result<EccPoint, CryptoError> {
        let operation = named("ecc_schnorr_commitment", &[&public.curve(), &signature.curve()]);
        let answer = ask(&operation, &[&point_bytes(public), &signature_bytes(signature)], || {
            RustCrypto::ecc_schnorr_commitment(public, signature).map(|commitment| point_bytes(&commitment))
        });
        point(*public, answer)
    }

    fn rsa_public(modulus: &[u8], exponent: u32, block: &mut [u8]) -> Result<(), CryptoError> {
        let message = block.to_vec();
        ask_into(block, "rsa_public", &[modulus, &exponent.to_be_bytes(), &message], |block| {
            RustCrypto::rsa_public(modulus, exponent, block)
        })
    }

    fn rsa_check(key: RsaKey<'_>, memory: &mut TestRsaMemory) -> Result<(), CryptoError> {
        ask_check("rsa_check", &[key.modulus, &key.exponent.to_be_bytes(), key.prime], || {
            RustCrypto::rsa_check(key, &mut memory.memory)
        })
    }

    fn rsa_private(
        key: RsaKey<'_>,
        block: &mut [u8],
        rng: &mut dyn Rng,
        memory: &mut TestRsaMemory,
    ) -> Result<(), CryptoError> {
        let mut question = Question::new("rsa_private", &[key.modulus, &key.exponent.to_be_bytes(), key.prime, block]);
        let answer = question
            .answer(rng, |rng| RustCrypto::rsa_private(key, block, rng, &mut memory.memory).map(|()| block.to_vec()))?;
        block.copy_from_slice(&answer);
        Ok(())
    }

    fn rsa_search(bits: usize, exponent: u32, memory: &mut TestRsaMemory) -> Result<(), CryptoError> {
        memory.search = Some(Question::new("rsa_search", &[&bits.to_be_bytes(), &exponent.to_be_bytes()]));
        RustCrypto::rsa_search(bits, exponent, &mut memory.memory)
    }

    /// A search is replayed as a whole or not at all: the memory of one that was answered from the record is still empty.
    fn rsa_search_step(
        memory: &mut TestRsaMemory,
        rng: &mut dyn Rng,
        modulus: &mut [u8],
        prime: &mut [u8],
    ) -> Result<bool, CryptoError> {
        let TestRsaMemory { memory, search } = memory;
        let answer = search.get_or_insert_default().answer(rng, |rng| {
            let is_done = RustCrypto::rsa_search_step(memory, rng, modulus, prime)?;
            Ok(if is_done { [&*modulus, &*prime].concat() } else { Vec::new() })
        })?;
        if answer.is_empty() {
            return Ok(false);
        }
        let (found_modulus, found_prime) = answer.split_at(modulus.len());
        modulus.copy_from_slice(found_modulus);
        prime.copy_from_slice(found_prime);
        RustCrypto::rsa_forget(memory);
        Ok(true)
    }

    fn rsa_forget(memory: &mut TestRsaMemory) {
        memory.search = None;
        RustCrypto::rsa_forget(&mut memory.memory);
    }

    fn x25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError> {
        ask_array("x25519_public", &[private], || RustCrypto::x25519_public(private))
    }

    fn x25519(private: &[u8; 32], public: &[u8; 32]) -> Result<SharedKey, CryptoError> {
        ask_array("x25519", &[private, public], || RustCrypto::x25519(private, public).map(|shared| *shared))
            .map(SharedKey::new)
    }

    fn ed25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError> {
        ask_array("ed25519_public", &[private], || RustCrypto::ed25519_public(private))
    }

    fn ed25519_on_curve(public: &[u8; 32]) -> bool {
        ask_whether("ed25519_on_curve", &[public], || RustCrypto::ed25519_on_curve(public))
    }

    fn ed25519_sign(private: &[u8; 32], variant: EdDsa, parts: &[&[u8]]) -> Result<[u8; 64], CryptoError> {
        ask_array(&named("ed25519_sign", &[&variant]), &[private, &parts.concat()], || {
            RustCrypto::ed25519_sign(private, variant, parts)
        })
    }

    fn ed25519_verify(public: &[u8; 32], challenge: &Digest, signature: &[u8; 64]) -> Result<(), CryptoError> {
        ask_check("ed25519_verify", &[public, challenge.as_bytes(), signature], || {
            RustCrypto::ed25519_verify(public, challenge, signature)
        })
    }

    fn mlkem_public(set: MlKemSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
        let operation = named("mlkem_public", &[&set]);
        ask_into(public, &operation, &[private], |public| RustCrypto::mlkem_public(set, private, public))
    }

    fn mlkem_check(set: MlKemSet, public: &[u8]) -> Result<(), CryptoError> {
        ask_check(&named("mlkem_check", &[&set]), &[public], || RustCrypto::mlkem_check(set, public))
    }

    fn mlkem_encapsulate(
        set: MlKemSet,
        public: &[u8],
        rng: &mut dyn Rng,
        ciphertext: &mut [u8],
    ) -> Result<SharedKey, CryptoError> {
        let mut question = Question::new(&named("mlkem_encapsulate", &[&set]), &[public]);
        let answer = question.answer(rng, |rng| {
            let shared = RustCrypto::mlkem_encapsulate(set, public, rng, ciphertext)?;
            Ok([shared.as_slice(), ciphertext].concat())
        })?;
        let (shared, made) = answer.split_at(32);
        ciphertext.copy_from_slice(made);
        Ok(SharedKey::new(shared.try_into().unwrap()))
    }

    fn mlkem_decapsulate(set: MlKemSet, private: &[u8], ciphertext: &[u8]) -> Result<SharedKey, CryptoError> {
        ask_array(&named("mlkem_decapsulate", &[&set]), &[private, ciphertext], || {
            RustCrypto::mlkem_decapsulate(set, private, ciphertext).map(|shared| *shared)
        })
        .map(SharedKey::new)
    }

    fn mldsa_public(set: MlDsaSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
        let operation = named("mldsa_public", &[&set]);
        ask_into(public, &operation, &[private], |public| RustCrypto::mldsa_public(set, private, public))
    }

    fn mldsa_sign(
        set: MlDsaSet,
        private: &[u8],
        mu: &[u8; MU_SIZE],
        rng: &mut dyn Rng,
        signature: &mut [u8],
    ) -> Result<(), CryptoError> {
        let mut question = Question::new(&named("mldsa_sign", &[&set]), &[private, mu]);
        let answer = question
            .answer(rng, |rng| RustCrypto::mldsa_sign(set, private, mu, rng, signature).map(|()| signature.to_vec()))?;
        signature.copy_from_slice(&answer);
        Ok(())
    }

    fn mldsa_verify(set: MlDsaSet, public: &[u8], mu: &[u8; MU_SIZE], signature: &[u8]) -> Result<(), CryptoError> {
        ask_check(&named("mldsa_verify", &[&set]), &[public, mu, signature], || {
            RustCrypto::mldsa_verify(set, public, mu, signature)
        })
    }
}
