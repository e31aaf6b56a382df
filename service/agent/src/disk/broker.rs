// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asking the broker for a storage key, and bringing it into the TPM of this boot.

use anyhow::{Context, Result};
use evtpm_api::Registered;
use evtpm_api::broker::{KEY_LABEL, KeyChallenge, KeyRequest, ReleasedKey};
use evtpm_client::{Object, Transport};
use evtpm_crypto::{Crypto, HashAlg, Rng, RustCrypto};
use evtpm_protocol::templates::storage_root_key;
use evtpm_tpm_wire::{Reader, Supported, Tpm2b, TpmiRhHierarchy, TpmtPublic};
use hyper::Method;

use crate::keys::{Keys, bytes_of, sized};
use crate::verifier::Connection;

/// Has the broker release the key `name` to this boot, and loads it.
///
/// # Errors
/// The broker's refusal, or the TPM's.
pub async fn obtain<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    broker: &mut Connection,
    registered: &Registered,
    name: &str,
) -> Result<Object> {
    let path = format!("/attesters/{}/keys/{name}", registered.attester);
    let challenge: KeyChallenge = broker.request(Method::POST, &format!("{path}/challenges"), &()).await?;
    keys.unload_endorsement_key()?;
    let root = keys
        .tpm
        .create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key())
        .context("making the storage root key")?;
    let request = certificate(keys, &root, &challenge, broker.binding())?;
    let released: ReleasedKey = broker.request(Method::PUT, &path, &request).await?;
    let key = import(keys, &root, &released);
    // Its child is loaded, or is not: the root key has done its work.
    keys.tpm.flush(root.handle).context("flushing the storage root key")?;
    key
}

/// Has the attestation key say that the root key is in its TPM.
fn certificate<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    root: &Object,
    challenge: &KeyChallenge,
    binding: &[u8],
) -> Result<KeyRequest> {
    let nonce = RustCrypto::hash(HashAlg::Sha256, &[KEY_LABEL, &challenge.nonce, binding]);
    let certificate = keys.tpm.certify(root, &keys.ak, nonce.as_bytes()).context("certifying the storage root key")?;
    Ok(KeyRequest {
        challenge: challenge.challenge.clone(),
        message: certificate.attest.as_bytes().into(),
        signature: bytes_of(&certificate.signature)?.into(),
        storage_public: sized(&root.public)?.into(),
    })
}

fn import<T: Transport, R: Rng>(keys: &mut Keys<T, R>, root: &Object, released: &ReleasedKey) -> Result<Object> {
    let public = public(&released.public).context("the broker's key is malformed")?;
    let private = keys
        .tpm
        .import(root, &public, &released.duplicate, &released.secret)
        .context("importing the broker's key: is it wrapped for another TPM?")?;
    keys.tpm.load(root, &[], &private, &public).context("loading the broker's key")
}

/// Reads a TPM2B_PUBLIC.
pub(super) fn public(bytes: &[u8]) -> Result<TpmtPublic> {
    let mut reader = Reader::new(bytes, &Supported::ALL);
    let public: Tpm2b<TpmtPublic> = reader.read().map_err(|code| anyhow::anyhow!("{code:?}"))?;
    reader.finish().map_err(|code| anyhow::anyhow!("{code:?}"))?;
    Ok(public.0)
}
