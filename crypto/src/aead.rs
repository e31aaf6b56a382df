// SPDX-License-Identifier: Apache-2.0 OR MIT
//! AES-256-GCM with detached tag and the caller's 12-byte IV (SP 800-38D), as SNP guest messages use it.
//!
//! The caller answers for never using an IV twice under one key.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};

use crate::CryptoError;

/// Size of a key.
pub const KEY_SIZE: usize = 32;
/// Size of an IV.
pub const IV_SIZE: usize = 12;
/// Size of a tag.
pub const TAG_SIZE: usize = 16;

/// Encrypts data in place and returns the tag over it and the associated data.
///
/// # Errors
/// [`CryptoError::OutputTooLong`] beyond the 64 GiB that GCM can encrypt under one IV.
pub fn seal(
    key: &[u8; KEY_SIZE],
    iv: &[u8; IV_SIZE],
    associated_data: &[u8],
    data: &mut [u8],
) -> Result<[u8; TAG_SIZE], CryptoError> {
    let too_long = CryptoError::OutputTooLong { actual: data.len() };
    Aes256Gcm::new(&(*key).into())
        .encrypt_inout_detached(&Nonce::from(*iv), associated_data, data.into())
        .map(Into::into)
        .map_err(|_| too_long)
}

/// Checks the tag and then decrypts in place; data whose tag does not match stays as it came.
///
/// # Errors
/// [`CryptoError::TagMismatch`].
pub fn open(
    key: &[u8; KEY_SIZE],
    iv: &[u8; IV_SIZE],
    associated_data: &[u8],
    data: &mut [u8],
    tag: &[u8; TAG_SIZE],
) -> Result<(), CryptoError> {
    Aes256Gcm::new(&(*key).into())
        .decrypt_inout_detached(&Nonce::from(*iv), associated_data, data.into(), &Tag::from(*tag))
        .map_err(|_| CryptoError::TagMismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_data_opens_under_the_same_key_iv_and_associated_data_only() {
        let (key, iv) = ([7; 32], [9; 12]);
        let mut sealed = *b"attestation report request";
        let tag = seal(&key, &iv, b"header", &mut sealed).unwrap();
        assert_ne!(&sealed, b"attestation report request");

        let mut other_iv = iv;
        other_iv[11] ^= 1;
        let mut other_tag = tag;
        other_tag[0] ^= 0x80;
        let mut attempt = sealed;
        assert_eq!(open(&key, &other_iv, b"header", &mut attempt, &tag), Err(CryptoError::TagMismatch));
        assert_eq!(open(&key, &iv, b"heades", &mut attempt, &tag), Err(CryptoError::TagMismatch));
        assert_eq!(open(&key, &iv, b"header", &mut attempt, &other_tag), Err(CryptoError::TagMismatch));
        assert_eq!(open(&[8; 32], &iv, b"header", &mut attempt, &tag), Err(CryptoError::TagMismatch));
        assert_eq!(attempt, sealed, "a refused message stays as it came");

        open(&key, &iv, b"header", &mut attempt, &tag).unwrap();
        assert_eq!(&attempt, b"attestation report request");
    }
}
