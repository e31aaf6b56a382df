// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The disk's key, sealed below the broker's: what stands in the token of a LUKS2 volume.

use anyhow::{Context, Result};
use evtpm_api::Bytes;
use evtpm_client::{Object, Transport};
use evtpm_crypto::Rng;
use evtpm_protocol::templates::sealed_data;
use evtpm_tpm_wire::Tpm2bPrivate;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::broker::public;
use crate::keys::{Keys, sized};

/// The `type` of our tokens.
pub const TOKEN_TYPE: &str = "evtpm";

/// Bytes of a disk key: as much as a volume key has.
const DISK_KEY: usize = 64;

/// A sealed disk key, as a LUKS2 token. The TPM checks that it belongs to the broker's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedKey {
    /// [`TOKEN_TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The key slots that the disk key opens.
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
        let (private, public) = keys.tpm.seal(parent, &sealed_data(), &disk_key).context("sealing the disk's key")?;
        let sealed = SealedKey {
            kind: TOKEN_TYPE.to_owned(),
            keyslots: Vec::new(),
            key: name.to_owned(),
            public: sized(&public)?.into(),
            private: private.as_bytes().into(),
        };
        Ok((sealed, disk_key))
    }

    /// Opens the disk key with the broker's.
    ///
    /// # Errors
    /// When it was sealed below another key.
    pub fn open<T: Transport, R: Rng>(&self, keys: &mut Keys<T, R>, parent: &Object) -> Result<Zeroizing<Vec<u8>>> {
        let public = public(&self.public).context("the token's public area is malformed")?;
        let private = Tpm2bPrivate::new(&self.private).context("the token's private area is too long")?;
        let object = keys
            .tpm
            .load(parent, &[], &private, &public)
            .with_context(|| format!("loading the sealed key: is it below another key than {}?", self.key))?;
        let disk_key = keys.tpm.unseal(&object).context("unsealing the disk's key");
        keys.tpm.flush(object.handle).context("flushing the sealed key")?;
        Ok(Zeroizing::new(disk_key?.as_bytes().to_vec()))
    }
}
