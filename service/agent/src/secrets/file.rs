// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One secret at rest: AES-256-GCM under a key that a TPM sealed, which holds no more than 128 bytes itself.

use std::path::{Component, Path, PathBuf};

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use anyhow::{Context, Result, ensure};
use evtpm_api::Bytes;
use evtpm_client::{Object, Transport};
use evtpm_crypto::Rng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keys::Keys;
use crate::sealed::{seal, unseal};

const KEY: usize = 32;
const NONCE: usize = 12;
const TAG: usize = 16;

/// The ending of a secret's file.
const ENDING: &str = "secret";

/// A secret, as it lies in its file, in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFile {
    /// The name of the broker's key.
    pub key: String,
    /// TPM2B_PUBLIC of the sealed object, which holds the key of this secret.
    pub public: Bytes,
    /// Its private area, without a size before it.
    pub private: Bytes,
    /// 12 bytes.
    pub nonce: Bytes,
    /// Ciphertext ‖ tag.
    pub ciphertext: Bytes,
}

impl SecretFile {
    /// Encrypts a secret. It can be opened under this name alone, so that the files of a directory cannot be exchanged.
    ///
    /// # Errors
    /// When there is no randomness, or the TPM refuses.
    pub fn make<T: Transport, R: Rng>(
        keys: &mut Keys<T, R>,
        parent: &Object,
        key: &str,
        name: &str,
        secret: &[u8],
    ) -> Result<Self> {
        let (mut own, mut nonce) = (Zeroizing::new([0; KEY]), [0; NONCE]);
        for bytes in [own.as_mut_slice(), nonce.as_mut_slice()] {
            getrandom::fill(bytes).context("the system gives no randomness")?;
        }
        let (public, private) = seal(keys, parent, &*own)?;
        let mut ciphertext = secret.to_vec();
        let tag = Aes256Gcm::new((&*own).into()).encrypt_inout_detached(
            &Nonce::from(nonce),
            name.as_bytes(),
            ciphertext.as_mut_slice().into(),
        );
        ciphertext.extend(tag.map_err(|_| anyhow::anyhow!("{name} is too long to be encrypted"))?);
        let (nonce, ciphertext) = (nonce.to_vec().into(), ciphertext.into());
        Ok(SecretFile { key: key.to_owned(), public, private, nonce, ciphertext })
    }

    /// Decrypts the secret of this name.
    ///
    /// # Errors
    /// When it was encrypted below another key, under another name, or changed since.
    pub fn open<T: Transport, R: Rng>(
        &self,
        keys: &mut Keys<T, R>,
        parent: &Object,
        name: &str,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let own = unseal(keys, parent, &self.key, (&self.public, &self.private))?;
        let own: &[u8; KEY] = own.as_slice().try_into().context("what is sealed is no key of a secret")?;
        let nonce: &[u8; NONCE] = (&*self.nonce).try_into().context("the nonce has another size")?;
        let (ciphertext, tag) = self.ciphertext.split_last_chunk::<TAG>().context("the ciphertext is too short")?;
        let mut secret = Zeroizing::new(ciphertext.to_vec());
        let opened = Aes256Gcm::new(own.into()).decrypt_inout_detached(
            &Nonce::from(*nonce),
            name.as_bytes(),
            secret.as_mut_slice().into(),
            &Tag::from(*tag),
        );
        opened.map_err(|_| anyhow::anyhow!("it was changed, or belongs to another name"))?;
        Ok(secret)
    }
}

/// Where the secret of a name lies below the directory: `tls/server` in `tls/server.secret`.
pub(super) fn path_of(directory: &Path, name: &str) -> Result<PathBuf> {
    let is_plain = |part: &str| {
        !part.starts_with('.') && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    ensure!(
        name.len() <= 255 && name.split('/').all(|part| !part.is_empty() && is_plain(part)),
        "`{name}` is no name of a secret: words of a-z A-Z 0-9 . _ - with / between them, none beginning with a dot"
    );
    Ok(directory.join(format!("{name}.{ENDING}")))
}

/// Lists the names of the secrets below a directory, in order.
pub(super) fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut folders = vec![directory.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let (path, kind) = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)))?;
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == ENDING) {
                let below = path.strip_prefix(directory)?.with_extension("");
                let parts = below.components().map(Component::as_os_str).map(|part| part.to_string_lossy());
                names.push(parts.collect::<Vec<_>>().join("/"));
            }
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_below_its_directory() {
        let directory = Path::new("/secrets");
        assert_eq!(path_of(directory, "tls/server.key").unwrap(), Path::new("/secrets/tls/server.key.secret"));
        for name in ["", "/etc/x", "../x", "a/../b", "a//b", "a/", ".hidden", "a b", "a\n"] {
            assert!(path_of(directory, name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn secrets_are_found_in_folders_and_other_files_are_none() {
        let directory = std::env::temp_dir().join(format!("evtpm-secrets-{}", std::process::id()));
        for name in ["b", "tls/a.key"] {
            let path = path_of(&directory, name).unwrap();
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        }
        std::fs::write(directory.join("README"), "no secret").unwrap();
        let found = names(&directory);
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(found.unwrap(), ["b", "tls/a.key"]);
    }
}
