// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The three steps of a registration: a nonce for the chip, a credential for the keys, the proof.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use evtpm_api::{
    CredentialChallenge, CredentialProof, LaunchEvidence, Registered, RegistrationOpened, RegistrationRequest,
};
use evtpm_verify::evtpm::SvsmNonce;
use evtpm_verify::tpm::{AkPublic, Credential, TrustedAk};

use crate::app::{App, Registration, expiry, instant, now};
use crate::judge;
use crate::keys::leases;
use crate::machines::identity::{self, BindingEvidence, check_name};
use crate::machines::{Kept, Live};
use crate::random::{SystemRng, name};
use crate::refusal::Refusal;
use crate::rounds;
use crate::store::{BootRow, NewBoot, Note, StoreError};

type Body<T> = Result<Json<T>, JsonRejection>;

/// `POST /v1/registrations`
pub(super) async fn open(
    State(app): State<Arc<App>>,
    body: Body<RegistrationRequest>,
) -> Result<(StatusCode, Json<RegistrationOpened>), Refusal> {
    let Json(RegistrationRequest { machine }) = body?;
    check_name("machine", &machine)?;
    let (expires, expires_in) = expiry();
    let nonce = SvsmNonce::issue(&mut SystemRng, expires)?;
    let opened = RegistrationOpened { registration: name()?, nonce: nonce.challenge().as_slice().into(), expires_in };
    app.registrations().insert(opened.registration.clone(), Registration::Opened { machine, nonce }, instant());
    Ok((StatusCode::CREATED, Json(opened)))
}

/// `PUT /v1/registrations/{id}/evidence`
pub(super) async fn evidence(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<LaunchEvidence>,
) -> Result<Json<CredentialChallenge>, Refusal> {
    let Json(evidence) = body?;
    // Taken, not borrowed: a nonce answers one report, right or wrong.
    let Some(Registration::Opened { machine, nonce }) = app.registrations().take(&id, instant()) else {
        return Err(unknown_registration());
    };
    let of = machine.clone();
    let made = app.busy(move |app| challenge(app, id, machine, nonce, evidence)).await;
    noted(&app, &of, made).await.map(Json)
}

fn challenge(
    app: &App,
    id: String,
    machine: String,
    nonce: SvsmNonce,
    evidence: LaunchEvidence,
) -> Result<CredentialChallenge, Refusal> {
    let challenged_with = nonce.challenge().to_vec();
    let ek = identity::believe_ek(app, evidence.binding, Some(nonce), &BindingEvidence::of(&evidence))?;
    let policy = app.policies.of(&machine).ok_or_else(|| Refusal::evidence("there is no policy for this machine"))?;
    judge::admit(&policy, &ek)?;
    let ak = AkPublic::from_tpm2b(&evidence.ak_public).map_err(Refusal::evidence)?;
    let (challenge, credential) = Credential::make(ek, ak, &mut SystemRng, expiry().0).map_err(Refusal::evidence)?;
    let challenged = Registration::Challenged {
        machine,
        credential: Box::new(credential),
        nonce: challenged_with,
        evidence: Box::new(evidence),
    };
    app.registrations().insert(id, challenged, instant());
    Ok(CredentialChallenge { credential: challenge.credential.into(), secret: challenge.secret.into() })
}

/// `PUT /v1/registrations/{id}/proof`
pub(super) async fn proof(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<CredentialProof>,
) -> Result<Json<Registered>, Refusal> {
    let Json(CredentialProof { secret }) = body?;
    let Some(Registration::Challenged { machine, credential, nonce, evidence }) =
        app.registrations().take(&id, instant())
    else {
        return Err(unknown_registration());
    };
    let proven = credential.prove(&secret, now()).map_err(Refusal::evidence);
    let key = noted(&app, &machine, proven).await?;
    let boot = identity::new_boot(name()?, machine.clone(), &key, &nonce, *evidence)?;
    if let Some(known) = present_boot(&app, &boot, &key).await? {
        return Ok(Json(known));
    }
    let (attester, ek_public) = (boot.attester.clone(), boot.ek_public.clone());
    let registered = app.store.register(boot, now().0).await;
    if registered == Err(StoreError::KnownEk) {
        alarm_of_revoked(&app, &machine, &ek_public).await?;
    }
    let registered = registered.map_err(Refusal::from);
    let (number, revoked) = noted(&app, &machine, registered).await?;
    if let Some(revoked) = revoked {
        app.live.remove(&revoked);
        leases::review_or_later(&app, &machine).await;
    }
    app.metrics.registrations.fetch_add(1, Relaxed);
    app.events.tell(now().0, &machine, "registered", format!("boot {number}"));
    let (key, kept) = (key.with_backend(app.backend), Kept::default().into());
    app.live.insert(Live { attester: attester.clone(), machine: machine.clone(), key, kept });
    Ok(Json(Registered { attester, machine, boot: number }))
}

/// Finds the machine's present boot if these are its keys: an agent that was started again proves them again.
async fn present_boot(app: &Arc<App>, boot: &NewBoot, key: &TrustedAk) -> Result<Option<Registered>, Refusal> {
    let boots = app.store.boots(&boot.machine).await?;
    let is_present = |row: &BootRow| row.revoked_at.is_none() && row.ek_public == boot.ek_public;
    let Some(present) = boots.into_iter().find(is_present) else { return Ok(None) };
    let live = rounds::live(app, &present.attester).await?;
    let is_same = live.key.name() == key.name();
    let registered = || Registered { attester: present.attester, machine: boot.machine.clone(), boot: present.number };
    Ok(is_same.then(registered))
}

/// A key that was just proven and was revoked when its machine registered with another one: there are two of this machine.
async fn alarm_of_revoked(app: &App, machine: &str, ek_public: &[u8]) -> Result<(), Refusal> {
    let boots = app.store.boots(machine).await?;
    if let Some(row) = boots.iter().find(|row| row.revoked_at.is_some() && row.ek_public == ek_public) {
        rounds::alarm(app, machine, &row.attester).await?;
    }
    Ok(())
}

/// Writes a refusal into the audit log.
async fn noted<T>(app: &App, machine: &str, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
    if let Err(refusal) = &outcome {
        let detail = refusal.message().to_owned();
        app.metrics.refused_registrations.fetch_add(1, Relaxed);
        app.events.tell(now().0, machine, "registration-refused", detail.clone());
        let note = Note { at: now().0, machine: Some(machine.to_owned()), event: "registration-refused", detail };
        // The client's refusal stands whether or not the log could be written.
        if let Err(error) = app.store.note(note).await {
            tracing::error!(%error, "writing a refusal into the audit log");
        }
    }
    outcome
}

fn unknown_registration() -> Refusal {
    Refusal::unknown("unknown-registration", "this registration does not exist, has expired or is at another step")
}
