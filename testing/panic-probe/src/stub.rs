// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cryptography that answers anything: the backends' big-number crates may panic in theory, and are not what we probe.

use core::hint::black_box;

use evtpm_crypto::entropy::NoiseSource;
use evtpm_crypto::{CipherMode, Crypto, CryptoError, Digest, Direction, EccPoint, EccPrivate, EccSignature, EdDsa};
use evtpm_crypto::{EntropyError, HashAlg, MlDsaSet, MlKemSet, Rng, RsaKey, SharedKey, StreamingHash};

/// A backend, a generator and a noise source whose answers the optimiser cannot foresee.
pub(crate) struct Anything;

/// A hash whose digests the optimiser cannot foresee.
#[derive(Clone)]
pub(crate) struct Hasher(HashAlg);

/// A private key without content.
#[derive(Debug, Default)]
pub(crate) struct Key;

/// Success or failure, who knows.
fn maybe<T>(value: T) -> Result<T, CryptoError> {
    if black_box(true) { Ok(value) } else { Err(black_box(CryptoError::Padding)) }
}

impl StreamingHash for Hasher {
    fn new(alg: HashAlg) -> Self {
        Self(black_box(alg))
    }

    fn alg(&self) -> HashAlg {
        self.0
    }

    fn update(&mut self, data: &[u8]) {
        black_box(data);
    }

    fn finish(self) -> Digest {
        black_box(Digest::zero(self.0))
    }

    fn save(&self, out: &mut [u8]) -> Option<usize> {
        black_box(out.len());
        black_box(Some(0))
    }

    fn restore(alg: HashAlg, saved: &[u8]) -> Option<Self> {
        black_box(saved);
        black_box(Some(Self(alg)))
    }
}

impl Rng for Anything {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.iter_mut().for_each(|byte| *byte = black_box(0));
        if black_box(true) { Ok(()) } else { Err(black_box(EntropyError::StuckAtZeros)) }
    }
}

impl NoiseSource for Anything {
    fn sample(&mut self) -> Option<u64> {
        black_box(Some(0))
    }
}

impl Crypto for Anything {
    type Hasher = Hasher;
    type RsaMemory = Key;

    fn cipher(key: &[u8], _: CipherMode, _: Direction, iv: &mut [u8; 16], data: &mut [u8]) -> Result<(), CryptoError> {
        black_box((key, iv, data));
        maybe(())
    }

    fn ecc_public(private: &EccPrivate) -> Result<EccPoint, CryptoError> {
        maybe(black_box(EccPoint::new(private.curve(), private.as_bytes(), private.as_bytes()))?)
    }

    fn ecc_on_curve(point: &EccPoint) -> bool {
        black_box(point);
        black_box(true)
    }

    fn ecc_multiply(private: &EccPrivate, _: &EccPoint) -> Result<EccPoint, CryptoError> {
        Self::ecc_public(private)
    }

    fn ecdsa_sign(private: &EccPrivate, digest: &[u8], _: &mut dyn Rng) -> Result<EccSignature, CryptoError> {
        maybe(black_box(EccSignature::new(private.curve(), digest, digest))?)
    }

    fn ecdsa_verify(_: &EccPoint, digest: &[u8], _: &EccSignature) -> Result<(), CryptoError> {
        black_box(digest);
        maybe(())
    }

    fn ecc_multiply_add(private: &EccPrivate, factor: &[u8], _: &EccPrivate) -> Result<EccPrivate, CryptoError> {
        black_box(factor);
        if black_box(true) { Ok(private.clone()) } else { Err(black_box(CryptoError::PrivateOutOfRange)) }
    }

    fn ecc_schnorr_commitment(public: &EccPoint, _: &EccSignature) -> Result<EccPoint, CryptoError> {
        maybe(*public)
    }

    fn rsa_public(modulus: &[u8], _: u32, block: &mut [u8]) -> Result<(), CryptoError> {
        black_box((modulus, block));
        maybe(())
    }

    fn rsa_check(key: RsaKey<'_>, memory: &mut Key) -> Result<(), CryptoError> {
        black_box((key, memory));
        maybe(())
    }

    fn rsa_private(key: RsaKey<'_>, block: &mut [u8], _: &mut dyn Rng, memory: &mut Key) -> Result<(), CryptoError> {
        black_box((key, block, memory));
        maybe(())
    }

    fn rsa_search(_: usize, _: u32, memory: &mut Key) -> Result<(), CryptoError> {
        black_box(memory);
        maybe(())
    }

    fn rsa_forget(memory: &mut Key) {
        black_box(memory);
    }

    fn rsa_search_step(
        _: &mut Key,
        rng: &mut dyn Rng,
        modulus: &mut [u8],
        prime: &mut [u8],
    ) -> Result<bool, CryptoError> {
        rng.fill(modulus).and_then(|()| rng.fill(prime)).map_err(CryptoError::Entropy)?;
        Ok(black_box(true))
    }

    fn x25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError> {
        maybe(black_box(*private))
    }

    fn x25519(private: &[u8; 32], public: &[u8; 32]) -> Result<SharedKey, CryptoError> {
        black_box((private, public));
        maybe(SharedKey::default())
    }

    fn ed25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError> {
        maybe(black_box(*private))
    }

    fn ed25519_on_curve(public: &[u8; 32]) -> bool {
        black_box(public);
        black_box(true)
    }

    fn ed25519_sign(private: &[u8; 32], variant: EdDsa, parts: &[&[u8]]) -> Result<[u8; 64], CryptoError> {
        black_box((private, variant, parts));
        maybe(black_box([0; 64]))
    }

    fn ed25519_verify(public: &[u8; 32], challenge: &Digest, signature: &[u8; 64]) -> Result<(), CryptoError> {
        black_box((public, challenge, signature));
        maybe(())
    }

    fn mlkem_public(_: MlKemSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
        black_box((private, public));
        maybe(())
    }

    fn mlkem_check(_: MlKemSet, public: &[u8]) -> Result<(), CryptoError> {
        black_box(public);
        maybe(())
    }

    fn mlkem_encapsulate(
        _: MlKemSet,
        public: &[u8],
        _: &mut dyn Rng,
        ciphertext: &mut [u8],
    ) -> Result<SharedKey, CryptoError> {
        black_box((public, ciphertext));
        maybe(SharedKey::default())
    }

    fn mlkem_decapsulate(_: MlKemSet, private: &[u8], ciphertext: &[u8]) -> Result<SharedKey, CryptoError> {
        black_box((private, ciphertext));
        maybe(SharedKey::default())
    }

    fn mldsa_public(_: MlDsaSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
        black_box((private, public));
        maybe(())
    }

    fn mldsa_sign(
        _: MlDsaSet,
        private: &[u8],
        mu: &[u8; 64],
        _: &mut dyn Rng,
        signature: &mut [u8],
    ) -> Result<(), CryptoError> {
        black_box((private, mu, signature));
        maybe(())
    }

    fn mldsa_verify(_: MlDsaSet, public: &[u8], mu: &[u8; 64], signature: &[u8]) -> Result<(), CryptoError> {
        black_box((public, mu, signature));
        maybe(())
    }
}
