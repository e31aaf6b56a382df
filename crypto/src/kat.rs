// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Known-answer tests, small enough to run all of them when a TPM is told to test itself (Part 1, "Self-Test").

mod answers;

use crate::drbg::HmacDrbg;
use crate::{
    CipherMode, Cmac, Crypto, CryptoError, Direction, EccCurve, EccPoint, EccPrivate, EccSignature, EdDsa,
    EntropyError, HashAlg, MlDsaSet, MlKemSet, Rng, RsaKey, StreamingHash, kdf2_xor, kdfa, kdfe, mu_of_message,
    schnorr,
};
use answers::Ecdsa;

/// What a known-answer test covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KnownAnswer {
    /// One hash algorithm.
    Hash(HashAlg),
    /// HMAC with SHA-256 and SHA-384.
    Hmac,
    /// KDFa, KDFe and KDF2.
    Kdf,
    /// AES in one mode, both directions, and the IV that it leaves.
    Aes(CipherMode),
    /// CMAC with AES.
    Cmac,
    /// Point multiplication on one curve, as key agreement does it.
    Ecdh(EccCurve),
    /// ECDSA signing and verification on one curve.
    Ecdsa(EccCurve),
    /// EC Schnorr signing and verification.
    Schnorr,
    /// ECDAA signing.
    Ecdaa,
    /// The raw RSA operations with a key of 2048 bits.
    Rsa,
    /// HMAC_DRBG.
    Drbg,
    /// X25519.
    X25519,
    /// Ed25519.
    Ed25519,
    /// ML-KEM-768: a key from its seed, encapsulation, decapsulation.
    MlKem,
    /// ML-DSA-65: a key from its seed, signing, verification.
    MlDsa,
}

impl KnownAnswer {
    /// Every test, the base of the others first.
    pub const ALL: [Self; 32] = [
        Self::Hash(HashAlg::Sha1),
        Self::Hash(HashAlg::Sha256),
        Self::Hash(HashAlg::Sha384),
        Self::Hash(HashAlg::Sha512),
        Self::Hash(HashAlg::Sha3_256),
        Self::Hash(HashAlg::Sha3_384),
        Self::Hash(HashAlg::Sha3_512),
        Self::Hash(HashAlg::Shake256_512),
        Self::Hmac,
        Self::Kdf,
        Self::Drbg,
        Self::Aes(CipherMode::Cfb),
        Self::Aes(CipherMode::Ctr),
        Self::Aes(CipherMode::Ofb),
        Self::Aes(CipherMode::Cbc),
        Self::Aes(CipherMode::Ecb),
        Self::Cmac,
        Self::Ecdh(EccCurve::P256),
        Self::Ecdh(EccCurve::P384),
        Self::Ecdh(EccCurve::P521),
        Self::Ecdh(EccCurve::BnP256),
        Self::Ecdsa(EccCurve::P256),
        Self::Ecdsa(EccCurve::P384),
        Self::Ecdsa(EccCurve::P521),
        Self::Ecdsa(EccCurve::BnP256),
        Self::Schnorr,
        Self::Ecdaa,
        Self::Rsa,
        Self::X25519,
        Self::Ed25519,
        Self::MlKem,
        Self::MlDsa,
    ];
}

/// Runs one test; that of RSA in the caller's memory.
///
/// # Errors
/// [`CryptoError::SelfTest`] when the answer is another one, or the error of the operation that refused.
pub fn run<C: Crypto>(test: KnownAnswer, memory: &mut C::RsaMemory) -> Result<(), CryptoError> {
    match test {
        KnownAnswer::Hash(alg) => hash::<C>(alg),
        KnownAnswer::Hmac => hmac::<C>(),
        KnownAnswer::Kdf => kdf::<C>(),
        KnownAnswer::Aes(mode) => aes::<C>(mode),
        KnownAnswer::Cmac => cmac::<C>(),
        KnownAnswer::Ecdh(curve) => ecdh::<C>(curve),
        KnownAnswer::Ecdsa(curve) => ecdsa::<C>(curve),
        KnownAnswer::Schnorr => schnorr::<C>(),
        KnownAnswer::Ecdaa => ecdaa::<C>(),
        KnownAnswer::Rsa => rsa::<C>(memory),
        KnownAnswer::Drbg => drbg::<C>(),
        KnownAnswer::X25519 => x25519::<C>(),
        KnownAnswer::Ed25519 => ed25519::<C>(),
        KnownAnswer::MlKem => mlkem::<C>(),
        KnownAnswer::MlDsa => mldsa::<C>(),
    }
}

fn expect(actual: &[u8], known: &[u8]) -> Result<(), CryptoError> {
    if actual == known { Ok(()) } else { Err(CryptoError::SelfTest) }
}

#[inline(never)]
fn hash<C: Crypto>(alg: HashAlg) -> Result<(), CryptoError> {
    let known: &[u8] = match alg {
        HashAlg::Sha1 => &answers::SHA1,
        HashAlg::Sha256 => &answers::SHA256,
        HashAlg::Sha384 => &answers::SHA384,
        HashAlg::Sha512 => &answers::SHA512,
        HashAlg::Sha3_256 => &answers::SHA3_256,
        HashAlg::Sha3_384 => &answers::SHA3_384,
        HashAlg::Sha3_512 => &answers::SHA3_512,
        HashAlg::Shake256_512 => &answers::SHAKE256_512,
    };
    expect(C::hash(alg, &[b"a", b"bc"]).as_bytes(), known)
}

#[inline(never)]
fn hmac<C: Crypto>() -> Result<(), CryptoError> {
    let message: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
    expect(C::hmac(HashAlg::Sha256, b"Jefe", &message).as_bytes(), &answers::HMAC_SHA256)?;
    expect(C::hmac(HashAlg::Sha384, b"Jefe", &message).as_bytes(), &answers::HMAC_SHA384)
}

#[inline(never)]
fn kdf<C: Crypto>() -> Result<(), CryptoError> {
    let mut out = [0; 16];
    kdfa::<C>(HashAlg::Sha256, &answers::KDFA_KEY, b"STORAGE", b"name", b"", 128, &mut out)?;
    expect(&out, &answers::KDFA_SHA256)?;

    let mut out = [0; 32];
    kdfe::<C>(HashAlg::Sha256, &answers::KDFA_KEY, b"IDENTITY", &[0x11; 32], &[0x22; 32], 256, &mut out)?;
    expect(&out, &answers::KDFE_SHA256)?;

    let mut out = [0; 40];
    let (front, back) = answers::KDFA_KEY.split_at_checked(9).unwrap_or_default();
    kdf2_xor::<C>(HashAlg::Sha256, &[front, back], &mut out);
    expect(&out, &answers::KDF2_SHA256)
}

#[inline(never)]
fn aes<C: Crypto>(mode: CipherMode) -> Result<(), CryptoError> {
    let (iv, known) = match mode {
        CipherMode::Cfb => {
            aes_with::<C>(mode, &answers::AES_256_KEY, &answers::AES_IV, &answers::AES_256_CFB)?;
            (&answers::AES_IV, &answers::AES_128_CFB)
        }
        CipherMode::Ctr => (&answers::AES_COUNTER, &answers::AES_128_CTR),
        CipherMode::Ofb => (&answers::AES_IV, &answers::AES_128_OFB),
        CipherMode::Cbc => (&answers::AES_IV, &answers::AES_128_CBC),
        CipherMode::Ecb => (&answers::AES_IV, &answers::AES_128_ECB),
    };
    aes_with::<C>(mode, &answers::AES_128_KEY, iv, known)
}

// Block by block, so that the IV between the blocks is tested too.
#[inline(never)]
fn aes_with<C: Crypto>(mode: CipherMode, key: &[u8], iv: &[u8; 16], known: &[u8; 32]) -> Result<(), CryptoError> {
    let mut data = answers::AES_PLAINTEXT;
    for (direction, result) in [(Direction::Encrypt, known), (Direction::Decrypt, &answers::AES_PLAINTEXT)] {
        let mut iv = *iv;
        for block in data.chunks_mut(16) {
            C::cipher(key, mode, direction, &mut iv, block)?;
        }
        expect(&data, result)?;
    }
    Ok(())
}

#[inline(never)]
fn cmac<C: Crypto>() -> Result<(), CryptoError> {
    let mut mac = Cmac::new(&answers::AES_256_KEY)?;
    let (front, back) = answers::CMAC_MESSAGE.split_at_checked(17).unwrap_or_default();
    mac.update::<C>(front)?;
    mac.update::<C>(back)?;
    expect(&mac.finish::<C>()?, &answers::CMAC_AES_256)
}

fn ecdsa_answer(curve: EccCurve) -> &'static Ecdsa {
    match curve {
        EccCurve::P256 => &answers::ECDSA_P256,
        EccCurve::P384 => &answers::ECDSA_P384,
        EccCurve::P521 => &answers::ECDSA_P521,
        EccCurve::BnP256 => &answers::ECDSA_BN_P256,
    }
}

#[inline(never)]
fn ecdh<C: Crypto>(curve: EccCurve) -> Result<(), CryptoError> {
    let answer = ecdsa_answer(curve);
    let private = EccPrivate::new(curve, answer.private)?;
    let public = EccPoint::new(curve, answer.x, answer.y)?;
    let base = EccPoint::new(curve, curve.parameters().gx, curve.parameters().gy)?;
    if C::ecc_multiply(&private, &base)? == public { Ok(()) } else { Err(CryptoError::SelfTest) }
}

#[inline(never)]
fn ecdsa<C: Crypto>(curve: EccCurve) -> Result<(), CryptoError> {
    let answer = ecdsa_answer(curve);
    let private = EccPrivate::new(curve, answer.private)?;
    let known = EccSignature::new(curve, answer.r, answer.s)?;
    if C::ecdsa_sign(&private, answer.digest, &mut Constant)? != known {
        return Err(CryptoError::SelfTest);
    }
    C::ecdsa_verify(&EccPoint::new(curve, answer.x, answer.y)?, answer.digest, &known)
}

#[inline(never)]
fn schnorr<C: Crypto>() -> Result<(), CryptoError> {
    let (curve, answer) = (EccCurve::P256, &answers::ECDSA_P256);
    let private = EccPrivate::new(curve, answer.private)?;
    let known = EccSignature::new(curve, &answers::SCHNORR_R, &answers::SCHNORR_S)?;
    if schnorr::sign::<C>(&private, HashAlg::Sha256, answer.digest, &mut Constant)? != known {
        return Err(CryptoError::SelfTest);
    }
    schnorr::verify::<C>(&EccPoint::new(curve, answer.x, answer.y)?, HashAlg::Sha256, answer.digest, &known)
}

#[inline(never)]
fn ecdaa<C: Crypto>() -> Result<(), CryptoError> {
    let (curve, answer) = (EccCurve::BnP256, &answers::ECDSA_BN_P256);
    let private = EccPrivate::new(curve, answer.private)?;
    let committed = EccPrivate::new(curve, answers::ECDSA_P256.private)?;
    let known = EccSignature::new(curve, &answers::ECDAA_K, &answers::ECDAA_S)?;
    let signed = schnorr::sign_committed::<C>(&private, &committed, HashAlg::Sha256, answer.digest, &mut Constant)?;
    if signed == known { Ok(()) } else { Err(CryptoError::SelfTest) }
}

#[inline(never)]
fn rsa<C: Crypto>(memory: &mut C::RsaMemory) -> Result<(), CryptoError> {
    let mut block = answers::RSA_MESSAGE;
    let key = RsaKey { modulus: &answers::RSA_MODULUS, exponent: 65537, prime: &answers::RSA_PRIME };
    C::rsa_private(key, &mut block, &mut Constant, memory)?;
    expect(&block, &answers::RSA_RESULT)?;
    C::rsa_public(&answers::RSA_MODULUS, 65537, &mut block)?;
    expect(&block, &answers::RSA_MESSAGE)
}

#[inline(never)]
fn x25519<C: Crypto>() -> Result<(), CryptoError> {
    let shared = C::x25519(&answers::X25519_PRIVATE, &answers::X25519_PUBLIC)?;
    expect(shared.as_slice(), &answers::X25519_SHARED)
}

#[inline(never)]
fn ed25519<C: Crypto>() -> Result<(), CryptoError> {
    let public = C::ed25519_public(&answers::ED25519_PRIVATE)?;
    let signature = C::ed25519_sign(&answers::ED25519_PRIVATE, EdDsa::Pure, &[&[0x72]])?;
    expect(&public, &answers::ED25519_PUBLIC)?;
    expect(&signature, &answers::ED25519_SIGNATURE)?;
    let [r, _] = signature.as_chunks::<32>().0 else { return Err(CryptoError::SelfTest) };
    let mut hasher: C::Hasher = EdDsa::Pure.challenge(r, &public);
    hasher.update(&[0x72]);
    C::ed25519_verify(&public, &hasher.finish(), &signature)
}

#[inline(never)]
fn mlkem<C: Crypto>() -> Result<(), CryptoError> {
    let set = MlKemSet::MlKem768;
    let (mut public, mut ciphertext) = ([0; 1184], [0; 1088]);
    C::mlkem_public(set, &answers::MLKEM_SEED, &mut public)?;
    expect(C::hash(HashAlg::Sha256, &[&public]).as_bytes(), &answers::MLKEM_PUBLIC_SHA256)?;
    let shared = C::mlkem_encapsulate(set, &public, &mut Constant, &mut ciphertext)?;
    expect(C::hash(HashAlg::Sha256, &[&ciphertext]).as_bytes(), &answers::MLKEM_CIPHERTEXT_SHA256)?;
    expect(shared.as_slice(), &answers::MLKEM_SHARED)?;
    expect(C::mlkem_decapsulate(set, &answers::MLKEM_SEED, &ciphertext)?.as_slice(), &answers::MLKEM_SHARED)
}

#[inline(never)]
fn mldsa<C: Crypto>() -> Result<(), CryptoError> {
    let set = MlDsaSet::MlDsa65;
    let (mut public, mut signature) = ([0; 1952], [0; 3309]);
    C::mldsa_public(set, &answers::MLDSA_SEED, &mut public)?;
    expect(C::hash(HashAlg::Sha256, &[&public]).as_bytes(), &answers::MLDSA_PUBLIC_SHA256)?;
    let mut mu = mu_of_message::<C>(&public, &[])?;
    mu.update(b"abc");
    let mu = mu.finish();
    let mu = mu.as_bytes().try_into().map_err(|_| CryptoError::SelfTest)?;
    C::mldsa_sign(set, &answers::MLDSA_SEED, mu, &mut Constant, &mut signature)?;
    expect(C::hash(HashAlg::Sha256, &[&signature]).as_bytes(), &answers::MLDSA_SIGNATURE_SHA256)?;
    C::mldsa_verify(set, &public, mu, &signature)
}

#[inline(never)]
fn drbg<C: Crypto>() -> Result<(), CryptoError> {
    let mut drbg = HmacDrbg::<C>::new(&answers::DRBG_ENTROPY, &answers::DRBG_NONCE, &[]);
    drbg.reseed(&answers::DRBG_RESEED, &answers::DRBG_RESEED_INPUT);
    let mut out = [0; 128];
    drbg.generate(&answers::DRBG_FIRST_INPUT, &mut out)?;
    drbg.generate(&answers::DRBG_SECOND_INPUT, &mut out)?;
    expect(&out, &answers::DRBG_OUTPUT)
}

/// The randomness that makes a signature a known answer; never used outside these tests.
struct Constant;

impl Rng for Constant {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(0x5a);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RustCrypto;

    #[test]
    fn every_known_answer_is_given() {
        for test in KnownAnswer::ALL {
            assert_eq!(run::<RustCrypto>(test, &mut Default::default()), Ok(()), "{test:?}");
        }
    }

    #[test]
    fn a_difference_in_one_bit_is_a_failed_test() {
        assert_eq!(expect(&[1, 2], &[1, 3]), Err(CryptoError::SelfTest));
        assert_eq!(expect(&[1, 2], &[1]), Err(CryptoError::SelfTest));
    }
}
