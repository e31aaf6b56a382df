// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What encrypts secrets before they go into the store: AES-256-GCM under a key that lies in a file, not in the database.

use std::path::Path;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use anyhow::{Context, Result};
use evtpm_crypto::Rng;
use zeroize::Zeroizing;

use crate::hex::{hex, unhex};
use crate::random::SystemRng;
use crate::refusal::Refusal;

const KEY: usize = 32;
const NONCE: usize = 12;

/// The key of the file.
pub(crate) struct Vault(Aes256Gcm);

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(..)")
    }
}

impl Vault {
    pub(crate) fn new(key: &[u8; KEY]) -> Self {
        Vault(Aes256Gcm::new(key.into()))
    }

    /// Reads the key, or makes it at the first start.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !path.exists() {
            let mut key = Zeroizing::new([0; KEY]);
            SystemRng.fill(&mut *key).map_err(|error| anyhow::anyhow!("making a key: {error}"))?;
            evtpm_io::file::write_private(path, Zeroizing::new(hex(&*key)).as_bytes())?;
            return Ok(Vault::new(&key));
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let key = unhex(Zeroizing::new(text).trim()).map(Zeroizing::new);
        let key: Option<&[u8; KEY]> = key.as_ref().and_then(|key| key.as_slice().try_into().ok());
        Ok(Vault::new(key.with_context(|| format!("{} holds no key of {KEY} bytes", path.display()))?))
    }

    /// Encrypts a secret: nonce ‖ ciphertext ‖ tag. It can be opened as `what` alone.
    pub(crate) fn seal(&self, what: &str, secret: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut nonce = [0; NONCE];
        SystemRng.fill(&mut nonce)?;
        let payload = Payload { msg: secret, aad: what.as_bytes() };
        let sealed = self.0.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Refusal::internal(format!("{what} is too long to be encrypted")))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Decrypts it.
    pub(crate) fn open_sealed(&self, what: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let opened = sealed.split_first_chunk::<NONCE>().and_then(|(nonce, sealed)| {
            self.0.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: what.as_bytes() }).ok()
        });
        let refused =
            || Refusal::internal(format!("{what} was not encrypted with the key in this directory's keys.key"));
        opened.map(Zeroizing::new).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_opened_by_its_key_and_its_name_alone() {
        let vault = Vault::new(&[1; KEY]);
        let sealed = vault.seal("key a", b"secret").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(vault.open_sealed("key a", &sealed).unwrap().as_slice(), b"secret");
        assert!(vault.open_sealed("key b", &sealed).is_err());
        assert!(Vault::new(&[2; KEY]).open_sealed("key a", &sealed).is_err());
        for end in 0..sealed.len() {
            assert!(vault.open_sealed("key a", &sealed[..end]).is_err());
        }
    }

    #[test]
    fn the_file_is_made_once_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("evtpm-vault-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        let sealed = Vault::open(&path).unwrap().seal("x", b"secret").unwrap();
        let opened = Vault::open(&path).unwrap().open_sealed("x", &sealed).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        std::fs::write(&path, "no key").unwrap();
        let refused = Vault::open(&path).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!((opened.as_slice(), mode & 0o777), (b"secret".as_slice(), 0o600));
        assert!(refused.to_string().contains("holds no key"), "{refused}");
    }
}
