// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The wrappers of a duplicate (Part 1, "Duplication", "Inner Duplication Wrapper", "Outer Duplication Wrapper").
//!
//! A duplicate is the sensitive area behind its size. The inner wrapper puts a digest before it and encrypts both with
//! a key that the caller chooses; the outer wrapper encrypts and authenticates with keys from a seed that is shared
//! with the new parent. Both work in place on one buffer.
use evtpm_crypto::{CipherMode, Crypto, Digest, Direction, Rng, constant_time_eq};
use evtpm_tpm_wire::{
    HashAlg, Reader, Tpm2bDigest, Tpm2bEncryptedSecret, Tpm2bPrivate, TpmtPublic, TpmtSensitive, TpmtSymDefObject,
    Writer,
};
use zeroize::Zeroizing;

use crate::secret::{Label, share};
use crate::wrap::{Wrapper, aes_cfb_key_size};
use crate::{ProtocolError, crypto_hash, object_name};

/// Room for any sensitive area that is duplicated here: that of an RSA-4096 key takes about 300 bytes.
const SENSITIVE_SIZE: usize = 512;

/// A duplicate of an object without inner wrapper, for one storage key of one TPM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// What `TPM2_Import` takes as `duplicate`.
    pub duplicate: Tpm2bPrivate,
    /// What it takes as `inSymSeed`.
    pub secret: Tpm2bEncryptedSecret,
}

/// Wraps an object that was made outside for a storage key, whose TPM alone can import it.
pub fn duplicate<C: Crypto>(
    public: &TpmtPublic,
    sensitive: &TpmtSensitive,
    recipient: &TpmtPublic,
    rng: &mut dyn Rng,
) -> Result<Duplicate, ProtocolError> {
    let cipher = recipient.body.symmetric().ok_or(ProtocolError::NotAStorageKey)?;
    let hash = recipient.name_alg.ok_or(ProtocolError::NoNameAlg)?;
    let (seed, secret) = share::<C>(recipient, Label::Duplicate, rng)?;
    let mut buffer = Zeroizing::new([0; SENSITIVE_SIZE]);
    let mut writer = Writer::new(&mut *buffer);
    writer.sized(sensitive)?;
    let name = object_name::<C>(public)?;
    let wrapper = Wrapper { hash, cipher, seed: seed.as_bytes(), name: name.as_bytes() };
    Ok(Duplicate { duplicate: seal_outer::<C>(&wrapper, writer.as_written())?, secret })
}

/// The inner wrapper of a duplicate.
#[derive(Clone, Copy, Debug)]
pub struct InnerWrapper<'a> {
    /// The nameAlg of the object.
    pub hash: HashAlg,
    /// The Name of the object.
    pub name: &'a [u8],
    /// The cipher.
    pub cipher: TpmtSymDefObject,
    /// The key.
    pub key: &'a [u8],
}

impl InnerWrapper<'_> {
    /// Puts the digest before `sensitive` (which stands behind its size) and encrypts both.
    pub fn seal<C: Crypto>(&self, sensitive: &[u8]) -> Result<Tpm2bPrivate, ProtocolError> {
        let integrity = C::hash(crypto_hash(self.hash)?, &[sensitive, self.name]);
        let mut wrapped = behind(&integrity, sensitive)?;
        self.cipher::<C>(Direction::Encrypt, wrapped.as_mut_bytes())?;
        Ok(wrapped)
    }

    /// Decrypts in place, checks the digest and returns the sensitive area behind its size.
    pub fn open<'d, C: Crypto>(&self, wrapped: &'d mut [u8]) -> Result<&'d [u8], ProtocolError> {
        self.cipher::<C>(Direction::Decrypt, wrapped)?;
        let mut reader = Reader::permissive(wrapped);
        // Garbage after decryption with a wrong key is a failed check like any other.
        let integrity: Tpm2bDigest = reader.read().map_err(|_| ProtocolError::Integrity)?;
        let sensitive = reader.remaining();
        let expected = C::hash(crypto_hash(self.hash)?, &[sensitive, self.name]);
        if constant_time_eq(expected.as_bytes(), integrity.as_bytes()) {
            Ok(sensitive)
        } else {
            Err(ProtocolError::Integrity)
        }
    }

    fn cipher<C: Crypto>(&self, direction: Direction, data: &mut [u8]) -> Result<(), ProtocolError> {
        if self.key.len() != aes_cfb_key_size(self.cipher)? {
            return Err(ProtocolError::TooLong);
        }
        Ok(C::cipher(self.key, CipherMode::Cfb, direction, &mut [0; 16], data)?)
    }
}

/// Puts the outer wrapper around `content`: the HMAC behind its size, then the ciphertext.
pub fn seal_outer<C: Crypto>(wrapper: &Wrapper<'_>, content: &[u8]) -> Result<Tpm2bPrivate, ProtocolError> {
    let mut data = Tpm2bPrivate::new(content)?;
    let integrity = wrapper.seal::<C>(&[], data.as_mut_bytes())?;
    behind(&integrity, data.as_bytes())
}

/// Puts a digest behind its size, and something behind that.
fn behind(digest: &Digest, rest: &[u8]) -> Result<Tpm2bPrivate, ProtocolError> {
    let digest = digest.as_bytes();
    let mut whole = Tpm2bPrivate::zeros(digest.len().saturating_add(rest.len()).saturating_add(2))?;
    let mut writer = Writer::new(whole.as_mut_bytes());
    writer.write(&Tpm2bDigest::new(digest)?)?;
    writer.bytes(rest)?;
    Ok(whole)
}

/// Takes the outer wrapper off and returns what was in it.
pub fn open_outer<C: Crypto>(wrapper: &Wrapper<'_>, wrapped: &[u8]) -> Result<Tpm2bPrivate, ProtocolError> {
    let mut reader = Reader::permissive(wrapped);
    let integrity: Tpm2bDigest = reader.read().map_err(ProtocolError::Malformed)?;
    let mut content = Tpm2bPrivate::new(reader.remaining())?;
    wrapper.open::<C>(integrity.as_bytes(), &[], content.as_mut_bytes())?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use evtpm_crypto::RustCrypto;

    use super::*;

    const INNER: InnerWrapper<'_> = InnerWrapper {
        hash: HashAlg::Sha256,
        name: b"name",
        cipher: TpmtSymDefObject::AES_128_CFB,
        key: b"0123456789abcdef",
    };
    const OUTER: Wrapper<'_> =
        Wrapper { hash: HashAlg::Sha384, cipher: TpmtSymDefObject::AES_256_CFB, seed: b"seed", name: b"name" };

    #[test]
    fn both_wrappers_come_off_in_reverse_order() {
        let inner = INNER.seal::<RustCrypto>(b"\0\x03abc").unwrap();
        let outer = seal_outer::<RustCrypto>(&OUTER, inner.as_bytes()).unwrap();
        let mut opened = open_outer::<RustCrypto>(&OUTER, outer.as_bytes()).unwrap();
        assert_eq!(opened, inner);
        assert_eq!(INNER.open::<RustCrypto>(opened.as_mut_bytes()), Ok(&b"\0\x03abc"[..]));
    }

    #[test]
    fn a_wrong_inner_key_or_name_is_an_integrity_error() {
        for wrong in [InnerWrapper { key: &[7; 16], ..INNER }, InnerWrapper { name: b"other", ..INNER }] {
            let mut inner = INNER.seal::<RustCrypto>(b"\0\x03abc").unwrap();
            assert_eq!(wrong.open::<RustCrypto>(inner.as_mut_bytes()), Err(ProtocolError::Integrity));
        }
    }

    #[test]
    fn an_inner_key_of_another_size_is_refused() {
        let result = InnerWrapper { key: &[7; 15], ..INNER }.seal::<RustCrypto>(b"\0\0");
        assert_eq!(result, Err(ProtocolError::TooLong));
    }

    #[test]
    fn a_changed_duplicate_is_an_integrity_error() {
        let mut outer = seal_outer::<RustCrypto>(&OUTER, b"content").unwrap();
        outer.as_mut_bytes()[60 - 8] ^= 1;
        assert_eq!(open_outer::<RustCrypto>(&OUTER, outer.as_bytes()), Err(ProtocolError::Integrity));
    }
}
