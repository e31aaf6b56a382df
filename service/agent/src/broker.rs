// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Asking the broker for a storage key, and bringing it into the TPM of this boot.

use anyhow::{Context, Result, ensure};
use clap::Args;
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

/// A broker, and how its keys are asked for.
#[derive(Debug, Args)]
pub(crate) struct BrokerArgs {
    #[command(flatten)]
    peer: Peer,
    /// The key of this boot that the broker's key is wrapped for.
    #[arg(long, value_enum, default_value_t)]
    wrapped_for: Parent,
}

/// The key of this boot that a released key is imported below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Parent {
    /// A storage root key, which the attestation key certifies: the owner hierarchy's authValue has to be empty.
    #[default]
    StorageRootKey,
    /// The endorsement key that the boot registered with: the endorsement hierarchy's has to be.
    EndorsementKey,
}

/// Registers, attests and has the key `name` released, all on one connection.
pub(crate) async fn release(args: &BrokerArgs, name: &str) -> Result<(Attester<Tpm, SystemRng>, Object)> {
    let peer = &args.peer;
    let mut attester = peer.attester()?;
    let (verifier, machine) = peer.verifier()?;
    let mut connection = verifier.connect().await?;
    let registered = attester.register(&mut connection, machine).await.context("registering")?;
    let verdict = attester.attest(&mut connection, &registered, || peer.logs().read()).await.context("attesting")?;
    let reasons: Vec<&str> = verdict.findings.iter().map(|finding| finding.message.as_str()).collect();
    ensure!(verdict.verdict == "trusted", "this machine is {}: {}", verdict.verdict, reasons.join("; "));
    let parent = obtain(attester.keys(), &mut connection, &registered, name, args.wrapped_for)
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
    parent: Parent,
) -> Result<Object> {
    let path = format!("/attesters/{}/keys/{name}", registered.attester);
    let challenge: KeyChallenge = broker.request(Method::POST, &format!("{path}/challenges"), &()).await?;
    let (object, certified) = match parent {
        Parent::StorageRootKey => {
            keys.unload_endorsement_key()?;
            let root = keys.tpm.create_primary(TpmiRhHierarchy::Owner, &[], &storage_root_key());
            let root = root.context("making the storage root key")?;
            (root.clone(), Some(root))
        }
        Parent::EndorsementKey => (keys.endorsement_key()?, None),
    };
    let key = async {
        let request = certificate(keys, certified.as_ref(), &challenge, broker.binding())?;
        let released: ReleasedKey = broker.request(Method::PUT, &path, &request).await?;
        import(keys, (parent, &object), &released)
    }
    .await;
    // Its child is loaded, or is not: the parent has done its work.
    match certified {
        Some(root) => keys.tpm.flush(root.handle).context("flushing the storage root key")?,
        None => keys.unload_endorsement_key()?,
    }
    key
}

/// Has the attestation key say that a storage key is in its TPM, or, without one, that it is there itself, in answer to a challenge
/// that came on the connection whose channel binding is `binding`.
///
/// # Errors
/// When the TPM refuses.
pub fn certificate<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    storage_key: Option<&Object>,
    challenge: &KeyChallenge,
    binding: &[u8],
) -> Result<KeyRequest> {
    let nonce = RustCrypto::hash(HashAlg::Sha256, &[KEY_LABEL, &challenge.nonce, binding]);
    let certificate = keys.tpm.certify(storage_key.unwrap_or(&keys.ak), &keys.ak, nonce.as_bytes());
    let certificate = certificate.context("having the attestation key certify a key")?;
    Ok(KeyRequest {
        challenge: challenge.challenge.clone(),
        message: certificate.attest.as_bytes().into(),
        signature: bytes_of(&certificate.signature)?.into(),
        storage_public: storage_key.map(|key| Ok::<_, anyhow::Error>(sized(&key.public)?.into())).transpose()?,
    })
}

fn import<T: Transport, R: Rng>(
    keys: &mut Keys<T, R>,
    below: (Parent, &Object),
    released: &ReleasedKey,
) -> Result<Object> {
    let public = public(&released.public).context("the broker's key is malformed")?;
    let (duplicate, secret) = (&released.duplicate, &released.secret);
    let wrong = "importing the broker's key: is it wrapped for another TPM?";
    let root = match below {
        (Parent::StorageRootKey, root) => root,
        (Parent::EndorsementKey, key) => {
            let imported = keys.tpm.import_below_endorsement_key(key, &[], &public, duplicate, secret);
            return imported.context(wrong);
        }
    };
    let private = keys.tpm.import(root, &public, duplicate, secret).context(wrong)?;
    keys.tpm.load(root, &[], &private, &public).context("loading the broker's key")
}

/// Reads a TPM2B_PUBLIC.
pub(crate) fn public(bytes: &[u8]) -> Result<TpmtPublic> {
    let mut reader = Reader::new(bytes, &Supported::ALL);
    let public: Tpm2b<TpmtPublic> = reader.read().map_err(|code| anyhow::anyhow!("{code:?}"))?;
    reader.finish().map_err(|code| anyhow::anyhow!("{code:?}"))?;
    Ok(public.0)
}
