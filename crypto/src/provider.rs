// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The operations that a TPM needs, as one trait without state.

use core::fmt;

use crate::{
    CipherMode, CryptoError, Digest, Direction, EccPoint, EccPrivate, EccSignature, EdDsa, HashAlg, Hmac, MU_SIZE,
    MlDsaSet, MlKemSet, Offer, Rng, RsaKey, SharedKey, StreamingHash,
};

/// Cryptography at the level of TPM operations.
///
/// There is no `self`: an implementation is a type, chosen once (`P::Crypto`), and all its state is in the values that
/// it hands out. Padding, key derivation and random generation are generic functions above this trait.
pub trait Crypto {
    /// Which of the algorithms below there are; the operations of the others answer [`CryptoError::Absent`].
    const OFFER: Offer = Offer::EVERYTHING;

    /// A running hash computation.
    type Hasher: StreamingHash;

    /// The memory in which a private RSA key is made ready, used or searched for; wipes itself on drop.
    ///
    /// It is some KiB, so that it is the caller who says where it lies and each operation borrows it.
    type RsaMemory: Default + fmt::Debug;

    /// Hashes the concatenation of the parts.
    #[must_use]
    fn hash(alg: HashAlg, parts: &[&[u8]]) -> Digest {
        let mut hasher = Self::Hasher::new(alg);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }

    /// Computes the HMAC of the concatenation of the parts.
    #[must_use]
    fn hmac(alg: HashAlg, key: &[u8], parts: &[&[u8]]) -> Digest {
        let mut mac = Hmac::<Self::Hasher>::new(alg, key);
        parts.iter().for_each(|part| mac.update(part));
        mac.finish()
    }

    /// Runs AES-128, -192 or -256 (by the key's size) over the data in place, and leaves in `iv` the value with
    /// which a following call continues.
    ///
    /// # Errors
    /// [`CryptoError::KeySize`], or [`CryptoError::PartialBlock`] in the modes CBC and ECB; nothing was changed then.
    fn cipher(
        key: &[u8],
        mode: CipherMode,
        direction: Direction,
        iv: &mut [u8; 16],
        data: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Computes the public point of a private scalar.
    ///
    /// # Errors
    /// Only if the backend refuses the scalar although its range was checked.
    fn ecc_public(private: &EccPrivate) -> Result<EccPoint, CryptoError>;

    /// Tells whether the coordinates are below the field prime and satisfy the curve equation.
    #[must_use]
    fn ecc_on_curve(point: &EccPoint) -> bool;

    /// Multiplies a point by a private scalar (ECDH; SP 800-56A, "ECC CDH Primitive"; the cofactor is one).
    ///
    /// # Errors
    /// [`CryptoError::PointNotOnCurve`], [`CryptoError::CurveMismatch`], [`CryptoError::PointAtInfinity`].
    fn ecc_multiply(private: &EccPrivate, point: &EccPoint) -> Result<EccPoint, CryptoError>;

    /// Signs a digest (FIPS 186-5, "ECDSA Signature Generation") with a nonce made by RFC 6979 from key, digest and
    /// fresh randomness: neither a bad generator alone nor a fault in the computation alone repeats a nonce.
    ///
    /// The randomness is one request for 32 bytes, which enter as "additional data"; the hash function of the nonce is
    /// SHA-256, SHA-384 or SHA-512 by the curve. So the same `rng` gives the same signature, and it can be tested.
    ///
    /// # Errors
    /// [`CryptoError::Entropy`].
    fn ecdsa_sign(private: &EccPrivate, digest: &[u8], rng: &mut dyn Rng) -> Result<EccSignature, CryptoError>;

    /// Verifies a signature over a digest (FIPS 186-5, "ECDSA Signature Verification").
    ///
    /// # Errors
    /// [`CryptoError::PointNotOnCurve`], [`CryptoError::CurveMismatch`], [`CryptoError::SignatureInvalid`].
    fn ecdsa_verify(public: &EccPoint, digest: &[u8], signature: &EccSignature) -> Result<(), CryptoError>;

    /// Computes `addend + factor * private` modulo the order of the curve, the sum in a Schnorr signature; the factor is a
    /// big-endian number of any length, and public.
    ///
    /// # Errors
    /// [`CryptoError::CurveMismatch`]; [`CryptoError::PrivateOutOfRange`] when the factor or the sum is a multiple of the
    /// order.
    fn ecc_multiply_add(private: &EccPrivate, factor: &[u8], addend: &EccPrivate) -> Result<EccPrivate, CryptoError>;

    /// Computes `[s]G - [r]Q`, the commitment that a Schnorr signature claims; nothing in it is secret.
    ///
    /// # Errors
    /// [`CryptoError::PointNotOnCurve`], [`CryptoError::CurveMismatch`], [`CryptoError::SignatureInvalid`] when s is not
    /// between 1 and n - 1 or the result is the point at infinity.
    fn ecc_schnorr_commitment(public: &EccPoint, signature: &EccSignature) -> Result<EccPoint, CryptoError>;

    /// Raises the big-endian number in `block` to the public exponent, in place; `block` is as long as `modulus`.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`], [`CryptoError::RsaExponent`], [`CryptoError::Length`],
    /// [`CryptoError::RsaInputOutOfRange`].
    fn rsa_public(modulus: &[u8], exponent: u32, block: &mut [u8]) -> Result<(), CryptoError>;

    /// Tells whether a prime belongs to a modulus, as far as it can without a test of primality.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`], [`CryptoError::RsaExponent`], [`CryptoError::RsaKeyInconsistent`].
    fn rsa_check(key: RsaKey<'_>, memory: &mut Self::RsaMemory) -> Result<(), CryptoError>;

    /// Raises the big-endian number in `block` to the private exponent, in place, blinded with `rng`; nothing of the key
    /// stays in the memory.
    ///
    /// # Errors
    /// Those of [`Crypto::rsa_check`]; [`CryptoError::Length`], [`CryptoError::RsaInputOutOfRange`],
    /// [`CryptoError::RsaFault`], [`CryptoError::Entropy`].
    fn rsa_private(
        key: RsaKey<'_>,
        block: &mut [u8],
        rng: &mut dyn Rng,
        memory: &mut Self::RsaMemory,
    ) -> Result<(), CryptoError>;

    /// Generates a key (FIPS 186-5, "Generation of Random Primes that are Probably Prime") whose size is that of
    /// `modulus`, and writes the modulus and one prime of half that size.
    ///
    /// The same bytes from `rng` give the same key, so that primary keys reproduce from their seed.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`], [`CryptoError::RsaExponent`], [`CryptoError::Length`],
    /// [`CryptoError::RsaNoPrime`], [`CryptoError::Entropy`].
    fn rsa_generate(exponent: u32, rng: &mut dyn Rng, modulus: &mut [u8], prime: &mut [u8]) -> Result<(), CryptoError> {
        let mut memory = Self::RsaMemory::default();
        Self::rsa_search(modulus.len().saturating_mul(8), exponent, &mut memory)?;
        while !Self::rsa_search_step(&mut memory, rng, modulus, prime)? {}
        Ok(())
    }

    /// Begins the generation of a key in steps, which go on until something else is done in the memory.
    ///
    /// # Errors
    /// [`CryptoError::RsaKeySize`], [`CryptoError::RsaExponent`].
    fn rsa_search(bits: usize, exponent: u32, memory: &mut Self::RsaMemory) -> Result<(), CryptoError>;

    /// Does one step, at most one modular power, and says whether it was the last one: then modulus and prime are written,
    /// and nothing of the key stays in the memory.
    ///
    /// # Errors
    /// Those of [`Crypto::rsa_generate`].
    fn rsa_search_step(
        memory: &mut Self::RsaMemory,
        rng: &mut dyn Rng,
        modulus: &mut [u8],
        prime: &mut [u8],
    ) -> Result<bool, CryptoError>;

    /// Gives up a search and wipes the memory.
    fn rsa_forget(memory: &mut Self::RsaMemory);

    /// Computes the public key of a private key of X25519 (RFC 7748, "Curve25519").
    ///
    /// # Errors
    /// [`CryptoError::Absent`].
    fn x25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError>;

    /// Computes the secret that two keys of X25519 share (RFC 7748, "Diffie-Hellman").
    ///
    /// # Errors
    /// [`CryptoError::PointAtInfinity`] when it is zero, as with a public key of small order.
    fn x25519(private: &[u8; 32], public: &[u8; 32]) -> Result<SharedKey, CryptoError>;

    /// Computes the public key of a private key of Ed25519 (RFC 8032, "Key Generation").
    ///
    /// # Errors
    /// [`CryptoError::Absent`].
    fn ed25519_public(private: &[u8; 32]) -> Result<[u8; 32], CryptoError>;

    /// Tells whether a public key of Ed25519 is the encoding of a point on the curve (RFC 8032, "Decoding").
    #[must_use]
    fn ed25519_on_curve(public: &[u8; 32]) -> bool;

    /// Signs the concatenation of the parts: the message of Ed25519, or the digest of Ed25519ph (RFC 8032, "Sign").
    ///
    /// # Errors
    /// [`CryptoError::Absent`].
    fn ed25519_sign(private: &[u8; 32], variant: EdDsa, parts: &[&[u8]]) -> Result<[u8; 64], CryptoError>;

    /// Verifies a signature with the digest that [`EdDsa::challenge`] gives over the same message (RFC 8032, "Verify").
    ///
    /// # Errors
    /// [`CryptoError::PointNotOnCurve`], [`CryptoError::SignatureInvalid`].
    fn ed25519_verify(public: &[u8; 32], challenge: &Digest, signature: &[u8; 64]) -> Result<(), CryptoError>;

    /// Computes the public key of a private key of ML-KEM, `d || z` (FIPS 203, "ML-KEM.KeyGen_internal").
    ///
    /// # Errors
    /// [`CryptoError::Length`].
    fn mlkem_public(set: MlKemSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError>;

    /// Checks a public key of ML-KEM (FIPS 203, "Encapsulation key check").
    ///
    /// # Errors
    /// [`CryptoError::Length`], [`CryptoError::LatticeKey`].
    fn mlkem_check(set: MlKemSet, public: &[u8]) -> Result<(), CryptoError>;

    /// Shares a fresh secret with the holder of the private key, in `ciphertext` (FIPS 203, "ML-KEM.Encaps").
    ///
    /// The randomness is one request for 32 bytes.
    ///
    /// # Errors
    /// [`CryptoError::Length`], [`CryptoError::LatticeKey`], [`CryptoError::Entropy`].
    fn mlkem_encapsulate(
        set: MlKemSet,
        public: &[u8],
        rng: &mut dyn Rng,
        ciphertext: &mut [u8],
    ) -> Result<SharedKey, CryptoError>;

    /// Recovers the secret of a ciphertext; of one that nobody made, another secret ("implicit rejection"; FIPS 203,
    /// "ML-KEM.Decaps_internal").
    ///
    /// # Errors
    /// [`CryptoError::Length`].
    fn mlkem_decapsulate(set: MlKemSet, private: &[u8], ciphertext: &[u8]) -> Result<SharedKey, CryptoError>;

    /// Computes the public key of a private key of ML-DSA, `xi` (FIPS 204, "ML-DSA.KeyGen_internal").
    ///
    /// # Errors
    /// [`CryptoError::Length`].
    fn mldsa_public(set: MlDsaSet, private: &[u8], public: &mut [u8]) -> Result<(), CryptoError>;

    /// Signs a message representative, hedged with one request for 32 bytes of randomness (FIPS 204,
    /// "ML-DSA.Sign_internal").
    ///
    /// # Errors
    /// [`CryptoError::Length`], [`CryptoError::Entropy`].
    fn mldsa_sign(
        set: MlDsaSet,
        private: &[u8],
        mu: &[u8; MU_SIZE],
        rng: &mut dyn Rng,
        signature: &mut [u8],
    ) -> Result<(), CryptoError>;

    /// Verifies a signature over a message representative (FIPS 204, "ML-DSA.Verify_internal").
    ///
    /// # Errors
    /// [`CryptoError::Length`] for a public key of another size, [`CryptoError::SignatureInvalid`].
    fn mldsa_verify(set: MlDsaSet, public: &[u8], mu: &[u8; MU_SIZE], signature: &[u8]) -> Result<(), CryptoError>;
}
