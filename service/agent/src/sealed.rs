// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Data that are sealed below the broker's key: the same bytes at each boot, opened by whoever was released the key.

use anyhow::{Context, Result};
use evtpm_api::Bytes;
use evtpm_client::{Object, Transport};
use evtpm_crypto::Rng;
use evtpm_protocol::templates::sealed_data;
use evtpm_tpm_wire::Tpm2bPrivate;
use zeroize::Zeroizing;

use crate::broker::public;
use crate::keys::{Keys, sized};

/// A sealed object: TPM2B_PUBLIC, and its private area without a size before it.
pub(crate) type SealedParts = (Bytes, Bytes);

/// Seals at most 128 bytes below the broker's key.
pub(crate) fn seal<T: Transport, R: Rng>(keys: &mut Keys<T, R>, parent: &Object, data: &[u8]) -> Result<SealedParts> {
    let (private, public) = keys.tpm.seal(parent, &sealed_data(), data).context("sealing")?;
    Ok((sized(&public)?.into(), private.as_bytes().into()))
}

/// Opens what was sealed below the broker's key, which is called `name`.
pub(crate) fn unseal<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    parent: &Object,
    name: &str,
    (sealed_public, private): (&Bytes, &Bytes),
) -> Result<Zeroizing<Vec<u8>>> {
    let area = public(sealed_public).context("the sealed object's public area is malformed")?;
    let private = Tpm2bPrivate::new(private).context("the sealed object's private area is too long")?;
    let object = keys
        .tpm
        .load(parent, &[], &private, &area)
        .with_context(|| format!("loading the sealed object: is it below another key than {name}?"))?;
    let data = keys.tpm.unseal(&object).context("unsealing");
    keys.tpm.flush(object.handle).context("flushing the sealed object")?;
    Ok(Zeroizing::new(data?.as_bytes().to_vec()))
}
