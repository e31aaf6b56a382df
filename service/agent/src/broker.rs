// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asking the broker for a storage key, and bringing it into the TPM of this boot.

use anyhow::{Context, Result, ensure};
use evtpm_api::Registered;
use evtpm_api::broker::{KEY_LABEL, KeyChallenge, KeyRequest, ReleasedKey};
use evtpm_client::{Object, Transport};
use evtpm_crypto::{Crypto, HashAlg, Rng, RustCrypto};
use evtpm_protocol::templates::storage_root_key;
use evtpm_tpm_wire::{Reader, Supported, Tpm2b, TpmiRhHierarchy, TpmtPublic};
use hyper::Method;

use crate::attester::Attester;
use crate::device::Tpm;
use crate::keys::{Keys, bytes_of, sized};
use crate::peer::Peer;
use crate::random::SystemRng;
use crate::verifier::Connection;

/// Registers, attests and has the key `name` released, all on one connection.
pub(crate) async fn release(peer: &Peer, name: &str) -> Result<(Attester<Tpm, SystemRng>, Object)> {
    let mut attester = peer.attester()?;
    let (verifier, machine) = peer.verifier()?;
    let mut connection = verifier.connect().await?;
    let registered = attester.register(&mut connection, machine).await.context("registering")?;
    let verdict = attester.attest(&mut connection, &registered, || peer.logs().read()).await.context("attesting")?;
    let reasons: Vec<&str> = verdict.findings.iter().map(|finding| finding.message.as_str()).collect();
    ensure!(verdict.verdict == "trusted", "this machine is {}: {}", verdict.verdict, reasons.join("; "));
    let parent = obtain(attester.keys(), &mut connection, &registered, name)
        .await
        .with_context(|| format!("asking for the key {name}"))?;
    Ok((attester, parent))
}

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
    let key = async {
        let request = certificate(keys, &root, &challenge, broker.binding())?;
        let released: ReleasedKey = broker.request(Method::PUT, &path, &request).await?;
        import(keys, &root, &released)
    }
    .await;
    // Its child is loaded, or is not: the root key has done its work.
    keys.tpm.flush(root.handle).context("flushing the storage root key")?;
    key
}

/// Has the attestation key say that the root key is in its TPM, in answer to a challenge that came on the connection whose
/// channel binding is `binding`.
///
/// # Errors
/// When the TPM refuses.
pub fn certificate<T: Transport, R: Rng>(
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
pub(crate) fn public(bytes: &[u8]) -> Result<TpmtPublic> {
    let mut reader = Reader::new(bytes, &Supported::ALL);
    let public: Tpm2b<TpmtPublic> = reader.read().map_err(|code| anyhow::anyhow!("{code:?}"))?;
    reader.finish().map_err(|code| anyhow::anyhow!("{code:?}"))?;
    Ok(public.0)
}
