// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Session keys, HMACs and parameter encryption (Part 1, "Session Key Creation", "HMAC Computation", "Session-Based
//! Encryption").
use evtpm_crypto::{CipherMode, Crypto, Digest, Direction, kdfa, xor_obfuscate};
use evtpm_tpm_wire::{HashAlg, Secret, SymMode, SymObjectAlg, TpmaSession, TpmtSymDef, TpmtSymDefObject};
use zeroize::Zeroizing;

use crate::{ProtocolError, crypto_hash};

/// A session key, or nothing for a session that is neither salted nor bound.
pub type SessionKey = Secret<64>;

/// The size of the greatest session value: session key and authValue.
pub const MAX_SESSION_VALUE: usize = 128;
/// A session key followed by an authValue.
pub type SessionValue = Secret<MAX_SESSION_VALUE>;

/// Computes the session key: "sessionKey := KDFa (sessionAlg, bind.authValue || tpmKey.salt, "ATH", nonceTPM,
/// nonceCaller, bits)". "If both tpmKey and bind are TPM_RH_NULL, then sessionKey is set to the Empty Buffer": the caller
/// must not ask then, as both secrets may be empty in a bound session too.
pub fn session_key<C: Crypto>(
    hash: HashAlg,
    bind_auth: &[u8],
    salt: &[u8],
    nonce_tpm: &[u8],
    nonce_caller: &[u8],
) -> Result<SessionKey, ProtocolError> {
    let hash = crypto_hash(hash)?;
    let secret = value(bind_auth, salt)?;
    let mut key = SessionKey::zeros(hash.digest_size())?;
    let bits = bits_of(hash.digest_size());
    kdfa::<C>(hash, secret.as_bytes(), b"ATH", nonce_tpm, nonce_caller, bits, key.as_mut_bytes())?;
    Ok(key)
}

/// Joins a session key and an authValue, which keys both the HMAC and the parameter encryption.
pub fn value(session_key: &[u8], auth_value: &[u8]) -> Result<SessionValue, ProtocolError> {
    let mut value = SessionValue::new(session_key)?;
    value.extend(auth_value)?;
    Ok(value)
}

/// The nonces of one use of a session.
#[derive(Clone, Copy, Debug)]
pub struct Nonces<'a> {
    /// The nonce of the side that computes for its own message.
    pub newer: &'a [u8],
    /// The nonce of the other side's message before.
    pub older: &'a [u8],
}

/// Computes the HMAC of a command or response: "authHMAC := HMAC_sessionAlg ((sessionKey || authValue), (pHash ||
/// nonceNewer || nonceOlder {|| nonceTPM_decrypt } {|| nonceTPM_encrypt } || sessionAttributes))".
///
/// `extra` holds the two optional nonces, which only the first authorization session of a command includes.
pub fn hmac<C: Crypto>(
    hash: HashAlg,
    key: &[u8],
    parameter_hash: &Digest,
    nonces: Nonces<'_>,
    extra: [&[u8]; 2],
    attributes: TpmaSession,
) -> Result<Digest, ProtocolError> {
    let [decrypt, encrypt] = extra;
    let parts: [&[u8]; 6] = [parameter_hash.as_bytes(), nonces.newer, nonces.older, decrypt, encrypt, &[attributes.0]];
    Ok(C::hmac(crypto_hash(hash)?, key, &parts))
}

/// Encrypts the content of a first parameter in place.
pub fn encrypt_parameter<C: Crypto>(
    hash: HashAlg,
    algorithm: TpmtSymDef,
    value: &SessionValue,
    nonces: Nonces<'_>,
    data: &mut [u8],
) -> Result<(), ProtocolError> {
    transform::<C>(Direction::Encrypt, hash, algorithm, value, nonces, data)
}

/// Decrypts the content of a first parameter in place.
pub fn decrypt_parameter<C: Crypto>(
    hash: HashAlg,
    algorithm: TpmtSymDef,
    value: &SessionValue,
    nonces: Nonces<'_>,
    data: &mut [u8],
) -> Result<(), ProtocolError> {
    transform::<C>(Direction::Decrypt, hash, algorithm, value, nonces, data)
}

fn transform<C: Crypto>(
    direction: Direction,
    hash: HashAlg,
    algorithm: TpmtSymDef,
    value: &SessionValue,
    nonces: Nonces<'_>,
    data: &mut [u8],
) -> Result<(), ProtocolError> {
    let hash = crypto_hash(hash)?;
    match algorithm {
        // "XOR(parameter, hashAlg, sessionValue, nonceNewer, nonceOlder)", where "hashAlg is the hash algorithm associated with
        // the session": the one that the symmetric definition names has no part in it.
        TpmtSymDef::Xor(_) => {
            xor_obfuscate::<C>(hash, value.as_bytes(), nonces.newer, nonces.older, data)?;
        }
        // "KDFa (hashAlg, sessionValue, "CFB", nonceNewer, nonceOlder, bits)": the key, then the IV.
        TpmtSymDef::Cipher(TpmtSymDefObject { algorithm: SymObjectAlg::Aes, key_bits, mode: Some(SymMode::Cfb) }) => {
            let key_size = usize::from(key_bits >> 3);
            let mut derived = Zeroizing::new([0; 48]);
            let size = key_size.saturating_add(16);
            let derived = derived.get_mut(..size).ok_or(ProtocolError::NotAStorageKey)?;
            kdfa::<C>(hash, value.as_bytes(), b"CFB", nonces.newer, nonces.older, bits_of(size), derived)?;
            let (key, iv) = derived.split_at_checked(key_size).ok_or(ProtocolError::NotAStorageKey)?;
            let mut iv = *iv.first_chunk::<16>().ok_or(ProtocolError::NotAStorageKey)?;
            C::cipher(key, CipherMode::Cfb, direction, &mut iv, data)?;
        }
        TpmtSymDef::Cipher(_) => return Err(ProtocolError::NotAStorageKey),
    }
    Ok(())
}

pub(crate) const fn bits_of(bytes: usize) -> u32 {
    // Only digests and cipher keys come here, of at most 64 bytes.
    #[expect(clippy::cast_possible_truncation, reason = "masked to ten bits")]
    let bytes = (bytes & 0x3FF) as u32;
    bytes << 3
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::{HashAlg as Hash, RustCrypto};

    use super::*;

    const NONCES: Nonces<'_> = Nonces { newer: b"newer", older: b"older" };

    fn round_trip(algorithm: TpmtSymDef) {
        let value = value(b"key", b"auth").unwrap();
        let mut data = *b"a parameter";
        encrypt_parameter::<RustCrypto>(HashAlg::Sha256, algorithm, &value, NONCES, &mut data).unwrap();
        assert_ne!(&data, b"a parameter");
        decrypt_parameter::<RustCrypto>(HashAlg::Sha256, algorithm, &value, NONCES, &mut data).unwrap();
        assert_eq!(&data, b"a parameter");
    }

    #[test]
    fn a_decrypted_parameter_is_what_was_encrypted() {
        round_trip(TpmtSymDef::Cipher(TpmtSymDefObject::AES_128_CFB));
        round_trip(TpmtSymDef::Cipher(TpmtSymDefObject::AES_256_CFB));
        round_trip(TpmtSymDef::Xor(HashAlg::Sha256));
    }

    #[test]
    fn the_hash_of_the_session_alone_makes_the_mask() {
        let value = value(b"key", b"auth").unwrap();
        let masked = |mask| {
            let mut data = [0; 8];
            let algorithm = TpmtSymDef::Xor(mask);
            encrypt_parameter::<RustCrypto>(HashAlg::Sha256, algorithm, &value, NONCES, &mut data).unwrap();
            data
        };
        let mut expected = [0; 8];
        xor_obfuscate::<RustCrypto>(Hash::Sha256, b"keyauth", b"newer", b"older", &mut expected).unwrap();
        assert_eq!([masked(HashAlg::Sha1), masked(HashAlg::Sha256)], [expected; 2]);
    }

    #[test]
    fn the_session_key_is_derived_from_bind_then_salt() {
        let key = session_key::<RustCrypto>(HashAlg::Sha256, b"bind", b"salt", b"tpm", b"caller").unwrap();
        let mut expected = [0; 32];
        kdfa::<RustCrypto>(Hash::Sha256, b"bindsalt", b"ATH", b"tpm", b"caller", 256, &mut expected).unwrap();
        assert_eq!(key.as_bytes(), expected);
    }

    #[test]
    fn the_hmac_covers_hash_nonces_and_attributes_in_order() {
        let digest = Digest::from_slice(&[5; 32]).unwrap();
        let attributes = TpmaSession::CONTINUE_SESSION | TpmaSession::DECRYPT;
        let mac = hmac::<RustCrypto>(HashAlg::Sha256, b"k", &digest, NONCES, [b"d", b"e"], attributes).unwrap();
        assert_eq!(mac, RustCrypto::hmac(Hash::Sha256, b"k", &[&[5; 32], b"newerolderde", &[0x21]]));
    }

    #[test]
    fn a_cipher_that_is_not_there_is_refused() {
        let sm4 = TpmtSymDefObject { algorithm: SymObjectAlg::Sm4, ..TpmtSymDefObject::AES_128_CFB };
        let value = value(b"key", b"auth").unwrap();
        let result =
            encrypt_parameter::<RustCrypto>(HashAlg::Sha256, TpmtSymDef::Cipher(sm4), &value, NONCES, &mut [0]);
        assert_eq!(result, Err(ProtocolError::NotAStorageKey));
    }
}
