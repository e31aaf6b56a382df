// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The outer wrapper of protected blobs: encrypt, then HMAC, with keys from a seed (Part 1, "Protected Storage",
//! "Symmetric Encryption", "Integrity").
use evtpm_crypto::{CipherMode, Crypto, Digest, Direction, constant_time_eq, kdfa};
use evtpm_tpm_wire::{HashAlg, SymMode, SymObjectAlg, TpmtSymDefObject};
use zeroize::Zeroizing;

use crate::{ProtocolError, crypto_hash, session::bits_of};

/// The keys' origin of a wrapper, and the Name that it is tied to.
#[derive(Clone, Copy, Debug)]
pub struct Wrapper<'a> {
    /// The nameAlg of the protecting key.
    pub hash: HashAlg,
    /// The cipher of the protecting key.
    pub cipher: TpmtSymDefObject,
    /// The seed, which both keys are derived from.
    pub seed: &'a [u8],
    /// The Name of the protected object.
    pub name: &'a [u8],
}

impl Wrapper<'_> {
    /// Encrypts `data` in place and returns the HMAC over IV, ciphertext and Name.
    ///
    /// `iv` is empty for duplicates and credentials, whose IV is zero and not part of the HMAC; otherwise it is the IV
    /// as the blob carries it, behind its size.
    pub fn seal<C: Crypto>(&self, iv: &[u8], data: &mut [u8]) -> Result<Digest, ProtocolError> {
        self.transform::<C>(Direction::Encrypt, iv, data)?;
        self.integrity::<C>(iv, data)
    }

    /// Checks the HMAC and decrypts `data` in place; nothing is decrypted unless the HMAC is right.
    pub fn open<C: Crypto>(&self, integrity: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), ProtocolError> {
        if !constant_time_eq(self.integrity::<C>(iv, data)?.as_bytes(), integrity) {
            return Err(ProtocolError::Integrity);
        }
        self.transform::<C>(Direction::Decrypt, iv, data)
    }

    /// "HMACkey := KDFa (pNameAlg, seedValue, "INTEGRITY", NULL, NULL, bits)"
    fn integrity<C: Crypto>(&self, iv: &[u8], data: &[u8]) -> Result<Digest, ProtocolError> {
        let hash = crypto_hash(self.hash)?;
        let mut key = Zeroizing::new([0; 64]);
        let key = key.get_mut(..hash.digest_size()).ok_or(ProtocolError::Hash(self.hash))?;
        kdfa::<C>(hash, self.seed, b"INTEGRITY", &[], &[], bits_of(key.len()), key)?;
        Ok(C::hmac(hash, key, &[iv, data, self.name]))
    }

    /// "symKey := KDFa (pNameAlg, seedValue, "STORAGE", name, NULL, bits)"
    fn transform<C: Crypto>(&self, direction: Direction, iv: &[u8], data: &mut [u8]) -> Result<(), ProtocolError> {
        let mut key = Zeroizing::new([0; 32]);
        let key = key.get_mut(..aes_cfb_key_size(self.cipher)?).ok_or(ProtocolError::NotAStorageKey)?;
        kdfa::<C>(crypto_hash(self.hash)?, self.seed, b"STORAGE", self.name, &[], bits_of(key.len()), key)?;
        let mut register = [0; 16];
        if let Some(given) = iv.last_chunk::<16>() {
            register = *given;
        }
        Ok(C::cipher(key, CipherMode::Cfb, direction, &mut register, data)?)
    }
}

/// Returns the key size of a cipher that can protect others: a block cipher in CFB mode, and here only AES.
pub(crate) const fn aes_cfb_key_size(cipher: TpmtSymDefObject) -> Result<usize, ProtocolError> {
    match cipher {
        // A storage key that names no mode means the only one that protects others.
        TpmtSymDefObject {
            algorithm: SymObjectAlg::Aes,
            key_bits: 128 | 192 | 256,
            mode: None | Some(SymMode::Cfb),
        } => Ok(cipher.key_size()),
        _ => Err(ProtocolError::NotAStorageKey),
    }
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;

    use super::*;

    const WRAPPER: Wrapper<'_> =
        Wrapper { hash: HashAlg::Sha256, cipher: TpmtSymDefObject::AES_128_CFB, seed: b"seed", name: b"name" };

    #[test]
    fn what_was_sealed_opens() {
        for iv in [&[][..], &[0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]] {
            let mut data = *b"something secret";
            let integrity = WRAPPER.seal::<RustCrypto>(iv, &mut data).unwrap();
            assert_ne!(&data, b"something secret");
            WRAPPER.open::<RustCrypto>(integrity.as_bytes(), iv, &mut data).unwrap();
            assert_eq!(&data, b"something secret");
        }
    }

    #[test]
    fn another_name_seed_iv_or_bit_fails_the_integrity_check() {
        let mut data = *b"something secret";
        let integrity = WRAPPER.seal::<RustCrypto>(&[], &mut data).unwrap();
        let sealed = data;
        for wrapper in [Wrapper { name: b"other", ..WRAPPER }, Wrapper { seed: b"other", ..WRAPPER }] {
            let result = wrapper.open::<RustCrypto>(integrity.as_bytes(), &[], &mut data);
            assert_eq!((result, data), (Err(ProtocolError::Integrity), sealed));
        }
        assert_eq!(
            WRAPPER.open::<RustCrypto>(integrity.as_bytes(), &[0; 18], &mut data),
            Err(ProtocolError::Integrity)
        );
        data[3] ^= 1;
        assert_eq!(WRAPPER.open::<RustCrypto>(integrity.as_bytes(), &[], &mut data), Err(ProtocolError::Integrity));
    }

    #[test]
    fn only_aes_in_cfb_mode_protects() {
        let cbc = TpmtSymDefObject { mode: Some(SymMode::Cbc), ..TpmtSymDefObject::AES_128_CFB };
        let result = Wrapper { cipher: cbc, ..WRAPPER }.seal::<RustCrypto>(&[], &mut [0; 4]);
        assert_eq!(result, Err(ProtocolError::NotAStorageKey));
    }
}
