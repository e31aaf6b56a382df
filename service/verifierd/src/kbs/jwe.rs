// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Encryption to a guest's key: a JWE (RFC 7516) by `ECDH-ES+A256KW` or `RSA-OAEP-256` (RFC 7518), with `A256GCM`.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::{Block, BlockCipherEncrypt as _};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use evtpm_api::kbs::{EcKey, Jwe, RsaKey, TeeKey};
use evtpm_crypto::padding::oaep;
use evtpm_crypto::{Crypto, EccCurve, EccPoint, EccPrivate, HashAlg, Rng, RustCrypto, RustHasher};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::random::SystemRng;
use crate::refusal::Refusal;

const ECDH_ES_A256KW: &str = "ECDH-ES+A256KW";
const RSA_OAEP_256: &str = "RSA-OAEP-256";

const TAG: usize = 16;

/// What is told about the encryption. Guests serialize it anew before they check it: the order of the fields counts.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    enc: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    epk: Option<EphemeralKey<'a>>,
}

#[derive(Serialize)]
struct EphemeralKey<'a> {
    crv: &'a str,
    kty: &'a str,
    x: String,
    y: String,
}

/// Encrypts to a key. A key that cannot be used is the guest's fault.
pub(super) fn encrypt(key: &TeeKey, content: &[u8]) -> Result<Jwe, Refusal> {
    let (mut cek, mut iv) = (Zeroizing::new([0; 32]), [0; 12]);
    SystemRng.fill(&mut *cek)?;
    SystemRng.fill(&mut iv)?;
    let (header, encrypted_key) = match key {
        TeeKey::Ec(key) => to_point(key, &cek)?,
        TeeKey::Rsa(key) => to_modulus(key, &cek)?,
    };
    let protected = URL_SAFE_NO_PAD.encode(header);
    let payload = Payload { msg: content, aad: protected.as_bytes() };
    let sealed = Aes256Gcm::new((&*cek).into()).encrypt(&Nonce::from(iv), payload);
    let sealed = sealed.map_err(|_| Refusal::internal("a resource is too long to be encrypted"))?;
    let (ciphertext, tag) = sealed.split_at_checked(sealed.len().saturating_sub(TAG)).unwrap_or_default();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Ok(Jwe {
        protected,
        encrypted_key: encode(&encrypted_key),
        iv: encode(&iv),
        ciphertext: encode(ciphertext),
        tag: encode(tag),
    })
}

fn to_modulus(key: &RsaKey, cek: &[u8; 32]) -> Result<(String, Vec<u8>), Refusal> {
    if key.kty != "RSA" || key.alg != RSA_OAEP_256 {
        return Err(unusable(format!("`{}` with `{}`", key.kty, key.alg)));
    }
    let (modulus, exponent) = (decode(&key.n)?, decode(&key.e)?);
    let exponent = exponent.iter().try_fold(0_u32, |number, byte| number.checked_mul(256)?.checked_add((*byte).into()));
    let exponent = exponent.ok_or_else(|| unusable("its exponent is too large"))?;
    let mut block = vec![0; modulus.len()];
    oaep::encode::<RustHasher>(HashAlg::Sha256, &[], cek, &mut SystemRng, &mut block).map_err(unusable_by)?;
    RustCrypto::rsa_public(&modulus, exponent, &mut block).map_err(unusable_by)?;
    Ok((header(&Header { alg: RSA_OAEP_256, enc: "A256GCM", epk: None })?, block))
}

fn to_point(key: &EcKey, cek: &[u8; 32]) -> Result<(String, Vec<u8>), Refusal> {
    let curve = match key.crv.as_str() {
        "P-256" => EccCurve::P256,
        "P-384" => EccCurve::P384,
        "P-521" => EccCurve::P521,
        other => return Err(unusable(format!("the curve `{other}`"))),
    };
    if key.kty != "EC" || key.alg != ECDH_ES_A256KW {
        return Err(unusable(format!("`{}` with `{}`", key.kty, key.alg)));
    }
    let point = EccPoint::new(curve, &decode(&key.x)?, &decode(&key.y)?).map_err(unusable_by)?;
    if !RustCrypto::ecc_on_curve(&point) {
        return Err(unusable("it is no point of its curve"));
    }
    let ephemeral = EccPrivate::generate(curve, &mut SystemRng).map_err(Refusal::internal)?;
    let public = RustCrypto::ecc_public(&ephemeral).map_err(Refusal::internal)?;
    let shared = RustCrypto::ecc_multiply(&ephemeral, &point).map_err(unusable_by)?;
    let epk = EphemeralKey {
        crv: &key.crv,
        kty: "EC",
        x: URL_SAFE_NO_PAD.encode(public.x()),
        y: URL_SAFE_NO_PAD.encode(public.y()),
    };
    let wrapped = wrap(&agreed_key(shared.x()), cek);
    Ok((header(&Header { alg: ECDH_ES_A256KW, enc: "A256GCM", epk: Some(epk) })?, wrapped))
}

/// RFC 7518, "Key Derivation for ECDH Key Agreement": one round of the Concat KDF, without party information.
fn agreed_key(shared: &[u8]) -> Zeroizing<[u8; 32]> {
    let size = u32::try_from(ECDH_ES_A256KW.len()).unwrap_or_default().to_be_bytes();
    let (round, nobody, bits) = (1_u32.to_be_bytes(), [0; 8], 256_u32.to_be_bytes());
    let parts: [&[u8]; 6] = [&round, shared, &size, ECDH_ES_A256KW.as_bytes(), &nobody, &bits];
    let digest = RustCrypto::hash(HashAlg::Sha256, &parts);
    Zeroizing::new(digest.as_bytes().try_into().unwrap_or_default())
}

/// RFC 3394, "Key Wrap", of a key of 256 bits.
fn wrap(kek: &[u8; 32], key: &[u8; 32]) -> Vec<u8> {
    let cipher = Aes256::new(kek.into());
    let mut check = [0xA6_u8; 8];
    let mut parts = Zeroizing::new([[0_u8; 8]; 4]);
    for (part, bytes) in parts.iter_mut().zip(key.chunks_exact(8)) {
        part.copy_from_slice(bytes);
    }
    let mut step = 0_u8;
    for _ in 0..6 {
        for part in parts.iter_mut() {
            step += 1;
            let mut block = Block::<Aes256>::default();
            let (left, right) = block.split_at_mut(8);
            left.copy_from_slice(&check);
            right.copy_from_slice(part);
            cipher.encrypt_block(&mut block);
            let (left, right) = block.split_at(8);
            check.copy_from_slice(left);
            part.copy_from_slice(right);
            if let Some(last) = check.last_mut() {
                *last ^= step;
            }
        }
    }
    check.into_iter().chain(parts.iter().flatten().copied()).collect()
}

fn header(header: &Header<'_>) -> Result<String, Refusal> {
    serde_json::to_string(header).map_err(Refusal::internal)
}

fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(unusable)
}

fn unusable_by(error: evtpm_crypto::CryptoError) -> Refusal {
    unusable(format!("{error:?}"))
}

fn unusable(why: impl std::fmt::Display) -> Refusal {
    Refusal::bad_request(format!("the guest's key cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> [u8; 32] {
        crate::hex::unhex(hex).unwrap().try_into().unwrap()
    }

    #[test]
    fn a_key_is_wrapped_as_in_rfc_3394() {
        // "Wrap 256 bits of Key Data with a 256-bit KEK"
        let kek = bytes("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        let key = bytes("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
        let expected = "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21";
        assert_eq!(crate::hex::hex(&wrap(&kek, &key)), expected);
    }

    /// What a guest does: the same agreement from its side, and the tag over the header as it was sent.
    #[test]
    fn a_guest_opens_what_was_encrypted_to_its_point() {
        for (curve, crv) in [(EccCurve::P256, "P-256"), (EccCurve::P384, "P-384"), (EccCurve::P521, "P-521")] {
            let private = EccPrivate::generate(curve, &mut SystemRng).unwrap();
            let public = RustCrypto::ecc_public(&private).unwrap();
            let (x, y) = (URL_SAFE_NO_PAD.encode(public.x()), URL_SAFE_NO_PAD.encode(public.y()));
            let (alg, crv, kty) = (ECDH_ES_A256KW.to_owned(), crv.to_owned(), "EC".to_owned());
            let jwe = encrypt(&TeeKey::Ec(EcKey { alg, crv, kty, x, y }), b"a resource").unwrap();

            let header = URL_SAFE_NO_PAD.decode(&jwe.protected).unwrap();
            let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
            let field = |name: &str| URL_SAFE_NO_PAD.decode(header["epk"][name].as_str().unwrap()).unwrap();
            let point = EccPoint::new(curve, &field("x"), &field("y")).unwrap();
            let shared = RustCrypto::ecc_multiply(&private, &point).unwrap();
            let kek = agreed_key(shared.x());
            let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
            let wrapped = decode(&jwe.encrypted_key);
            let cek = unwrap(&kek, &wrapped);
            let sealed = [decode(&jwe.ciphertext), decode(&jwe.tag)].concat();
            let iv: [u8; 12] = decode(&jwe.iv).try_into().unwrap();
            let payload = Payload { msg: &sealed, aad: jwe.protected.as_bytes() };
            let opened = Aes256Gcm::new((&cek).into()).decrypt(&Nonce::from(iv), payload).unwrap();
            assert_eq!(opened, b"a resource");
        }
    }

    /// The inverse of [`wrap`], with its check.
    fn unwrap(kek: &[u8; 32], wrapped: &[u8]) -> [u8; 32] {
        use aes_gcm::aes::cipher::BlockCipherDecrypt as _;
        let cipher = Aes256::new(kek.into());
        let mut check: [u8; 8] = wrapped[..8].try_into().unwrap();
        let mut key: [u8; 32] = wrapped[8..].try_into().unwrap();
        for step in (1..=24_u8).rev() {
            let at = usize::from((step - 1) % 4) * 8;
            check[7] ^= step;
            let mut block = Block::<Aes256>::default();
            block[..8].copy_from_slice(&check);
            block[8..].copy_from_slice(&key[at..at + 8]);
            cipher.decrypt_block(&mut block);
            check.copy_from_slice(&block[..8]);
            key[at..at + 8].copy_from_slice(&block[8..]);
        }
        assert_eq!(check, [0xA6; 8]);
        key
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let key = |alg: &str, crv: &str, x: &str| {
            let (alg, crv, kty) = (alg.to_owned(), crv.to_owned(), "EC".to_owned());
            TeeKey::Ec(EcKey { alg, crv, kty, x: x.to_owned(), y: "AA".to_owned() })
        };
        for key in [
            key(ECDH_ES_A256KW, "P-256", "AA"),
            key(ECDH_ES_A256KW, "P-256", "!"),
            key(ECDH_ES_A256KW, "secp256k1", "AA"),
            key("dir", "P-256", "AA"),
            TeeKey::Rsa(RsaKey { alg: RSA_OAEP_256.into(), e: "AQAB".into(), kty: "RSA".into(), n: "AQ".into() }),
            TeeKey::Rsa(RsaKey { alg: "RSA1_5".into(), e: "AQAB".into(), kty: "RSA".into(), n: "AQ".into() }),
        ] {
            assert!(encrypt(&key, b"").is_err(), "{key:?}");
        }
    }
}
