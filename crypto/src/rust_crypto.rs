// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The portable implementation of [`Crypto`]: RustCrypto crates, and our own RSA.

mod aes_modes;
mod bn_p256;
mod curve25519;
mod elliptic;
mod hasher;
mod mldsa;
mod mlkem;
mod selection;
mod shake;

use core::marker::PhantomData;

use crate::rsa::{RsaPrivate, RsaPublic};
use crate::{
    CipherMode, Crypto, CryptoError, Digest, Direction, EccPoint, EccPrivate, EccSignature, EdDsa, HashAlg, MU_SIZE,
    MlDsaSet, MlKemSet, Rng, RsaKey, SharedKey,
};
pub use hasher::RustHasher;
pub use selection::{Everything, Offer, Selection, Small};

/// The pure-Rust implementation of [`Crypto`], as much of it as `S` selects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortableCrypto<S>(PhantomData<S>);

/// The whole implementation.
pub type RustCrypto = PortableCrypto<Everything>;

/// What a small TPM needs: no post-quantum algorithm, and of the curves those of NIST.
pub type SmallCrypto = PortableCrypto<Small>;

/// Refuses what is not linked.
const fn linked(offered: bool) -> Result<(), CryptoError> {
    if offered { Ok(()) } else { Err(CryptoError::Absent) }
}

impl<S: Selection> Crypto for PortableCrypto<S> {
    const OFFER: Offer = S::OFFER;

    type Hasher = RustHasher;
    type RsaMemory = RsaPrivate;

    fn hash(alg: HashAlg, parts: &[&[u8]]) -> Digest {
        hasher::digest(alg, parts)
    }

    fn cipher(
        key: &[u8],
        mode: CipherMode,
        direction: Direction,
        iv: &mut [u8; 16],
        data: &mut [u8],
    ) -> Result<(), CryptoError> {
        aes_modes::run(key, mode, direction, iv, data)
    }

    fn ecc_public(private: &EccPrivate) -> Result<EccPoint, CryptoError> {
        elliptic::public::<S>(private)
    }

    fn ecc_on_curve(point: &EccPoint) -> bool {
        elliptic::on_curve::<S>(point)
    }

    fn ecc_multiply(private: &EccPrivate, point: &EccPoint) -> Result<EccPoint, CryptoError> {
        elliptic::multiply::<S>(private, point)
    }

    fn ecdsa_sign(private: &EccPrivate, digest: &[u8], rng: &mut dyn Rng) -> Result<EccSignature, CryptoError> {
        elliptic::sign::<S>(private, digest, rng)
    }

    fn ecdsa_verify(public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError> {
        elliptic::verify::<S>(public, digest, signature)
    }

    fn ecc_multiply_add(private: &EccPrivate, factor: &[u8], addend: &EccPrivate) -> Result<EccPrivate, CryptoError> {
        elliptic::multiply_add::<S>(private, factor, addend)
    }

    fn ecc_schnorr_commitment(public: &EccPoint, signature: &EccSignature) -> Result<EccPoint, CryptoError> {
        elliptic::schnorr_commitment::<S>(public, signature)
    }

    fn rsa_public(modulus: &[u8], exponent: u32, block: &mut [u8]) -> Result<(), CryptoError> {
        RsaPublic::new(modulus, exponent)?.raise(block)
    }

    fn rsa_check(key: RsaKey<'_>, memory: &mut RsaPrivate) -> Result<(), CryptoError> {
        memory.load(key)?;
        memory.clear();
        Ok(())
    }

    fn rsa_private(
        key: RsaKey<'_>,
        block: &mut [u8],
        rng: &mut dyn Rng,
        memory: &mut RsaPrivate,
    ) -> Result<(), CryptoError> {
        memory.load(key)?;
        let raised = memory.raise(block, rng);
        memory.clear();
        raised
    }

    fn rsa_search(bits: usize, exponent: u32, memory: &mut RsaPrivate) -> Result<(), CryptoError> {
        memory.search(bits, exponent)
    }

    fn rsa_search_step(
        memory: &mut RsaPrivate,
        rng: &mut dyn Rng,
        modulus: &mut [u8],
        prime: &mut [u8],
    ) -> Result<bool, CryptoError> {
        let half = modulus.len().div_ceil(2);
        if prime.len() != half {
            return Err(CryptoError::Length { expected: half, actual: prime.len() });
        }
        if !memory.step(rng)? {
            return Ok(false);
        }
        memory.write_modulus(modulus)?;
        memory.write_prime(prime)?;
        memory.clear();
        Ok(true)
    }

    fn rsa_forget(memory: &mut RsaPrivate) {
        memory.clear();
    }

    fn x25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError> {
        linked(S::OFFER.curve25519)?;
        Ok(curve25519::x25519_public(private))
    }

    fn x25519(private: &[u8; 32], public: &[u8; 32]) -> Result<SharedKey, CryptoError> {
        linked(S::OFFER.curve25519)?;
        curve25519::x25519(private, public)
    }

    fn ed25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError> {
        linked(S::OFFER.curve25519)?;
        Ok(curve25519::ed25519_public(private))
    }

    fn ed25519_on_curve(public: &[u8; 32]) -> bool {
        S::OFFER.curve25519 && curve25519::ed25519_on_curve(public)
    }

    fn ed25519_sign(private: &[u8; 32], variant: EdDsa, parts: &[&[u8]]) -> Result<[u8; 64], CryptoError> {
        linked(S::OFFER.curve25519)?;
        Ok(curve25519::ed25519_sign(private, variant, parts))
    }

    fn ed25519_verify(public: &[u8; 32], challenge: &Digest, signature: &[u8; 64]) -> Result<(), CryptoError> {
        linked(S::OFFER.curve25519)?;
        curve25519::ed25519_verify(public, challenge, signature)
    }

    fn mlkem_public(set: MlKemSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
        linked(S::OFFER.lattices)?;
        mlkem::public(set, private, public)
    }

    fn mlkem_check(set: MlKemSet, public: &[u8]) -> Result<(), CryptoError> {
        linked(S::OFFER.lattices)?;
        mlkem::check(set, public)
    }

    fn mlkem_encapsulate(
        set: MlKemSet,
        public: &[u8],
        rng: &mut dyn Rng,
        ciphertext: &mut [u8],
    ) -> Result<SharedKey, CryptoError> {
        linked(S::OFFER.lattices)?;
        mlkem::encapsulate(set, public, rng, ciphertext)
    }

    fn mlkem_decapsulate(set: MlKemSet, private: &[u8], ciphertext: &[u8]) -> Result<SharedKey, CryptoError> {
        linked(S::OFFER.lattices)?;
        mlkem::decapsulate(set, private, ciphertext)
    }

    fn mldsa_public(set: MlDsaSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError> {
        linked(S::OFFER.lattices)?;
        mldsa::public(set, private, public)
    }

    fn mldsa_sign(
        set: MlDsaSet,
        private: &[u8],
        mu: &[u8; MU_SIZE],
        rng: &mut dyn Rng,
        signature: &mut [u8],
    ) -> Result<(), CryptoError> {
        linked(S::OFFER.lattices)?;
        mldsa::sign(set, private, mu, rng, signature)
    }

    fn mldsa_verify(set: MlDsaSet, public: &[u8], mu: &[u8; MU_SIZE], signature: &[u8]) -> Result<(), CryptoError> {
        linked(S::OFFER.lattices)?;
        mldsa::verify(set, public, mu, signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EccCurve;
    use crate::drbg::HmacDrbg;

    #[test]
    fn a_generated_rsa_key_loads_and_undoes_the_public_operation() {
        let mut rng = HmacDrbg::<RustCrypto>::new(b"a primary seed", b"", b"rsa");
        let (mut modulus, mut prime) = ([0; 128], [0; 64]);
        RustCrypto::rsa_generate(65537, &mut rng, &mut modulus, &mut prime).unwrap();

        let key = RsaKey { modulus: &modulus, exponent: 65537, prime: &prime };
        let mut block = [0x33; 128];
        block[0] = 0;
        let message = block;
        RustCrypto::rsa_public(&modulus, 65537, &mut block).unwrap();
        assert_ne!(block, message);
        RustCrypto::rsa_private(key, &mut block, &mut rng, &mut RsaPrivate::default()).unwrap();
        assert_eq!(block, message);
    }

    #[test]
    fn the_same_seed_gives_the_same_rsa_key() {
        let generate = |seed: &[u8]| {
            let (mut modulus, mut prime) = ([0; 128], [0; 64]);
            let mut rng = HmacDrbg::<RustCrypto>::new(seed, b"", b"rsa");
            RustCrypto::rsa_generate(65537, &mut rng, &mut modulus, &mut prime).unwrap();
            (modulus, prime)
        };
        assert_eq!(generate(b"one"), generate(b"one"));
        assert_ne!(generate(b"one"), generate(b"two"));
    }

    #[test]
    fn what_is_not_linked_is_refused_and_what_is_linked_is_the_same() {
        let absent = EccPrivate::new(EccCurve::BnP256, &[7]).unwrap();
        assert_eq!(SmallCrypto::ecc_public(&absent), Err(CryptoError::Absent));
        assert_eq!(SmallCrypto::ed25519_public(&[7; 32]), Err(CryptoError::Absent));
        assert_eq!(SmallCrypto::mldsa_public(MlDsaSet::MlDsa44, &[7; 32], &mut [0; 1312]), Err(CryptoError::Absent));
        for curve in [EccCurve::P256, EccCurve::P384, EccCurve::P521] {
            let private = EccPrivate::new(curve, &[7]).unwrap();
            assert_eq!(SmallCrypto::ecc_public(&private), RustCrypto::ecc_public(&private));
        }
    }

    #[test]
    fn a_prime_buffer_of_another_size_than_half_the_modulus_is_refused() {
        let mut rng = HmacDrbg::<RustCrypto>::new(b"seed", b"", b"");
        let refused = RustCrypto::rsa_generate(65537, &mut rng, &mut [0; 256], &mut [0; 127]);
        assert_eq!(refused, Err(CryptoError::Length { expected: 128, actual: 127 }));
    }
}
