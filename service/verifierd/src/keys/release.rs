// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Releasing a key: to a boot that is found good now, wrapped for a storage key that its attestation key certifies, or for the
//! endorsement key that it registered with.

use std::sync::Arc;

use evtpm_api::MachineState;
use evtpm_api::broker::{KEY_LABEL, KeyChallenge, KeyRequest, ReleasedKey};
use evtpm_crypto::RustCrypto;
use evtpm_protocol::intermediate::{INTERMEDIATE_KEY_SIZE, IntermediateKey};
use evtpm_tpm_wire::Writer;
use evtpm_verify::tpm::{CertifyEvidence, Issued, Nonce};

use super::Challenge;
use super::leases::{self, Holder};
use super::named::{self, Permitted, failed};
use crate::app::{App, expiry, instant, now};
use crate::listener::ChannelBinding;
use crate::machines::{Kept, Live, state};
use crate::random::{SystemRng, name};
use crate::refusal::Refusal;
use crate::rounds;
use crate::store::{Note, StoreError};

/// Asks a boot for a certificate: of a storage key, or of its attestation key.
pub(crate) async fn challenge(app: &Arc<App>, attester: &str, key: &str) -> Result<KeyChallenge, Refusal> {
    let live = rounds::live(app, attester).await?;
    named::permitted(app, &live.machine, key).await?;
    let (expires, expires_in) = expiry();
    let nonce = Issued::<Nonce>::issue(&mut SystemRng, expires).map_err(Refusal::internal)?;
    let answer = KeyChallenge { challenge: name()?, nonce: nonce.challenge().as_slice().into(), expires_in };
    let challenge = Challenge { attester: attester.to_owned(), key: key.to_owned(), nonce };
    app.broker.challenges().insert(answer.challenge.clone(), challenge, instant());
    Ok(answer)
}

/// Releases a key, or writes down why not. Before anyone has the key, its lease is in the store.
pub(crate) async fn release(
    app: &Arc<App>,
    attester: &str,
    key: &str,
    binding: ChannelBinding,
    request: KeyRequest,
) -> Result<ReleasedKey, Refusal> {
    // Taken, not borrowed: a nonce answers one certificate, right or wrong (rule 4).
    let Challenge { nonce, .. } = app
        .broker
        .challenges()
        .take(&request.challenge, instant())
        .filter(|challenge| challenge.attester == attester && challenge.key == key)
        .ok_or_else(|| {
            Refusal::unknown("unknown-challenge", "this challenge does not exist, was answered or has expired")
        })?;
    let live = rounds::live(app, attester).await?;
    let released = released(app, &live, key, nonce, binding, request).await;
    if let Err(refusal) = &released {
        let detail = format!("{key}: {}", refusal.message());
        app.events.tell(now().0, &live.machine, "key-refused", detail.clone());
        app.store.note(Note { at: now().0, machine: Some(live.machine.clone()), event: "key-refused", detail }).await?;
    }
    released
}

async fn released(
    app: &Arc<App>,
    live: &Arc<Live>,
    key: &str,
    nonce: Issued<Nonce>,
    ChannelBinding(binding): ChannelBinding,
    request: KeyRequest,
) -> Result<ReleasedKey, Refusal> {
    // No verdict falls while the key is on its way.
    let kept = live.kept.lock().await;
    let boot = check_standing(app, live, &kept).await?;
    let permitted = named::permitted(app, &live.machine, key).await?;
    let wrapped = {
        let live = live.clone();
        app.busy(move |app| wrap(app, &live, &permitted, nonce, &binding, &request)).await?
    };
    let holder = Holder { machine: &live.machine, attester: &live.attester, boot };
    let lease = leases::grant(app, holder, key).await?;
    Ok(ReleasedKey { lease, ..wrapped })
}

/// "A secret is released on a verdict that is still fresh" (rule 16), and by today's policy; returns the boot's number.
async fn check_standing(app: &App, live: &Live, kept: &Kept) -> Result<u64, Refusal> {
    let boot = app.store.boot(&live.attester).await?.filter(|boot| !boot.revoked).ok_or(StoreError::Revoked)?;
    match state(boot.standing.as_ref(), now().0, app.settings.stale_after) {
        MachineState::Healthy => {}
        state => return Err(Refusal::not_trusted(format!("{} is {}; attest first", live.machine, state.name()))),
    }
    let policy = app.policies.of(&live.machine).map(|policy| policy.id.clone());
    if policy.is_none() || kept.judged_by != policy {
        let message = "the last verdict is that of another policy, or was given before the verifier started";
        return Err(Refusal::not_trusted(format!("{message}; attest again")));
    }
    if app.store.machines(Some(&live.machine)).await?.iter().any(|row| row.clone_alarm) {
        return Err(Refusal::not_trusted("there are two of this machine; its operator has to end the alarm"));
    }
    Ok(boot.number)
}

/// Believes the certificate (rule 16), and wraps the key for what it certifies; the lease is still without a name.
fn wrap(
    app: &App,
    live: &Live,
    permitted: &Permitted,
    nonce: Issued<Nonce>,
    binding: &[u8],
    request: &KeyRequest,
) -> Result<ReleasedKey, Refusal> {
    let KeyRequest { message, signature, storage_public, .. } = request;
    let nonce = nonce.on_channel(KEY_LABEL, binding);
    let parent = match storage_public {
        Some(public) => {
            let evidence = CertifyEvidence { message, signature, public };
            live.key.certify(evidence, nonce, now()).map_err(Refusal::evidence)?.public().clone()
        }
        // Who asks is whoever holds the attestation key; that it is in one TPM with the endorsement key, registration has shown.
        None => {
            live.key.possession(message, signature, nonce, now()).map_err(Refusal::evidence)?;
            let unknown =
                || Refusal::evidence("nothing vouches for this boot's endorsement key: have a storage key certified");
            live.key.endorsement_key().ok_or_else(unknown)?.public().clone()
        }
    };
    let key = permitted.open(app)?;
    let duplicate = key.duplicate_for::<RustCrypto>(&parent, &mut SystemRng).map_err(failed)?;
    Ok(ReleasedKey {
        public: public_of(&key)?.into(),
        duplicate: duplicate.duplicate.as_bytes().into(),
        secret: duplicate.secret.as_bytes().into(),
        lease: String::new(),
    })
}

/// TPM2B_PUBLIC.
fn public_of(key: &IntermediateKey) -> Result<Vec<u8>, Refusal> {
    let mut buffer = [0; INTERMEDIATE_KEY_SIZE];
    let mut writer = Writer::new(&mut buffer);
    writer.sized(key.public()).map_err(|code| Refusal::internal(format!("{code:?}")))?;
    Ok(writer.into_written().to_vec())
}
