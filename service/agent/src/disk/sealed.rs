// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The disk's key, sealed below the broker's: what stands in the token of a LUKS2 volume, or in a file of the initramfs.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use evtpm_api::Bytes;
use evtpm_client::{Object, Transport};
use evtpm_crypto::Rng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::keys::Keys;
use crate::sealed::{seal, unseal};

/// The `type` of our tokens.
pub const TOKEN_TYPE: &str = "evtpm";

/// Bytes of a disk key: as much as a volume key has.
const DISK_KEY: usize = 64;

/// A sealed disk key, as a LUKS2 token, or in a file of the same words. The TPM checks that it belongs to the broker's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedKey {
    /// [`TOKEN_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The key slots that the disk key opens; none in a file, which is written before the slot is there.
    pub keyslots: Vec<String>,
    /// The name of the broker's key.
    pub key: String,
    /// TPM2B_PUBLIC of the sealed object.
    pub public: Bytes,
    /// Its private area, without a size before it.
    pub private: Bytes,
}

impl SealedKey {
    /// Makes a disk key and seals it below the broker's key, which is called `name`.
    ///
    /// # Errors
    /// When there is no randomness, or the TPM refuses.
    pub fn make<T: Transport, R: Rng>(
        keys: &mut Keys<T, R>,
        parent: &Object,
        name: &str,
    ) -> Result<(Self, Zeroizing<Vec<u8>>)> {
        let mut disk_key = Zeroizing::new(vec![0; DISK_KEY]);
        getrandom::fill(&mut disk_key).context("the system gives no randomness")?;
        let (public, private) = seal(keys, parent, &disk_key).context("the disk's key")?;
        let (kind, key) = (TOKEN_TYPE.to_owned(), name.to_owned());
        Ok((SealedKey { kind, keyslots: Vec::new(), key, public, private }, disk_key))
    }

    /// Writes it into a new file: nothing in it is a secret.
    ///
    /// # Errors
    /// When the file is there already, or cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let writing = || format!("writing {}", file.display());
        let mut written = File::create_new(file).with_context(writing)?;
        serde_json::to_writer_pretty(&mut written, self)?;
        written.sync_all().with_context(writing)
    }

    /// Reads what [`Self::write`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or is no sealed key.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        let sealed: Self = serde_json::from_slice(&text).with_context(|| file.display().to_string())?;
        ensure!(sealed.kind == TOKEN_TYPE, "{}: `{}` is not `{TOKEN_TYPE}`", file.display(), sealed.kind);
        Ok(sealed)
    }

    /// Opens the disk key with the broker's.
    ///
    /// # Errors
    /// When it was sealed below another key.
    pub fn open<T: Transport, R: Rng>(&self, keys: &mut Keys<T, R>, parent: &Object) -> Result<Zeroizing<Vec<u8>>> {
        unseal(keys, parent, &self.key, (&self.public, &self.private)).context("the disk's key")
    }
}
