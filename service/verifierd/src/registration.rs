// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The three steps of a registration: a nonce for the chip, a credential for the keys, the proof.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use evtpm_api::{
    Binding, CredentialChallenge, CredentialProof, LaunchEvidence, Registered, RegistrationOpened, RegistrationRequest,
};
use evtpm_appraise::LaunchIdentity;
use evtpm_verify::evtpm::{self, BoundEk, SvsmNonce};
use evtpm_verify::snp;
use evtpm_verify::tpm::{AkOrigin, AkPublic, Credential, TrustedAk};

use crate::app::{App, Attester, Registration, expiry, instant, now};
use crate::random::{SystemRng, name};
use crate::refusal::Refusal;
use crate::store::{NewBoot, hex};

type Body<T> = Result<Json<T>, JsonRejection>;

/// `POST /v1/registrations`
pub(crate) async fn open(
    State(app): State<Arc<App>>,
    body: Body<RegistrationRequest>,
) -> Result<(StatusCode, Json<RegistrationOpened>), Refusal> {
    let Json(RegistrationRequest { machine }) = body?;
    check_machine_name(&machine)?;
    let (expires, expires_in) = expiry();
    let nonce = SvsmNonce::issue(&mut SystemRng, expires)?;
    let opened = RegistrationOpened { registration: name()?, nonce: nonce.challenge().as_slice().into(), expires_in };
    app.registrations().insert(opened.registration.clone(), Registration::Opened { machine, nonce }, instant());
    Ok((StatusCode::CREATED, Json(opened)))
}

/// `PUT /v1/registrations/{id}/evidence`
pub(crate) async fn evidence(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<LaunchEvidence>,
) -> Result<Json<CredentialChallenge>, Refusal> {
    let Json(evidence) = body?;
    // Taken, not borrowed: a nonce answers one report, right or wrong.
    let Some(Registration::Opened { machine, nonce }) = app.registrations().take(&id, instant()) else {
        return Err(unknown_registration());
    };
    app.busy(move |app| challenge(app, id, machine, nonce, &evidence)).await.map(Json)
}

fn challenge(
    app: &App,
    id: String,
    machine: String,
    nonce: SvsmNonce,
    evidence: &LaunchEvidence,
) -> Result<CredentialChallenge, Refusal> {
    let made = believe_ek(app, nonce, evidence).and_then(|ek| {
        let ak = AkPublic::from_tpm2b(&evidence.ak_public).map_err(Refusal::evidence)?;
        Credential::make(ek, ak, &mut SystemRng, expiry().0).map_err(Refusal::evidence)
    });
    let (challenge, credential) = made.inspect_err(|refusal| note_refusal(app, &machine, refusal))?;
    let credential = Box::new(credential);
    app.registrations().insert(id, Registration::Challenged { machine, credential }, instant());
    Ok(CredentialChallenge { credential: challenge.credential.into(), secret: challenge.secret.into() })
}

/// Follows the chain from the root to the endorsement key, and asks the policy whether this launch may have one.
fn believe_ek(app: &App, nonce: SvsmNonce, evidence: &LaunchEvidence) -> Result<BoundEk, Refusal> {
    let mut collateral = app.collateral.clone();
    if let Some(table) = &evidence.certificates {
        collateral.add_table(table).map_err(Refusal::evidence)?;
    }
    let at = now();
    let report = snp::verify(&evidence.report, &collateral, &app.anchors, at).map_err(Refusal::evidence)?;
    let manifest =
        || evidence.manifest.as_deref().ok_or_else(|| Refusal::bad_request("this binding needs the field `manifest`"));
    let binding = match evidence.binding {
        Binding::NvReport => evtpm::Binding::NvReport { ek: &evidence.ek_public },
        Binding::SvsmV0 => evtpm::Binding::ManifestV0 { nonce, manifest: manifest()? },
        Binding::SvsmV1 => evtpm::Binding::ManifestV1 { nonce, manifest: manifest()?, ek: &evidence.ek_public },
    };
    let ek = evtpm::bind(report, binding, at).map_err(Refusal::evidence)?;
    app.judge.admit(&ek)?;
    Ok(ek)
}

/// `PUT /v1/registrations/{id}/proof`
pub(crate) async fn proof(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    body: Body<CredentialProof>,
) -> Result<Json<Registered>, Refusal> {
    let Json(CredentialProof { secret }) = body?;
    let Some(Registration::Challenged { machine, credential }) = app.registrations().take(&id, instant()) else {
        return Err(unknown_registration());
    };
    app.busy(move |app| {
        let proven = credential.prove(&secret, now()).map_err(Refusal::evidence);
        let key = proven.inspect_err(|refusal| note_refusal(app, &machine, refusal))?;
        register(app, machine, key)
    })
    .await
    .map(Json)
}

fn register(app: &App, machine: String, key: TrustedAk) -> Result<Registered, Refusal> {
    let AkOrigin::Activated(ek) = key.origin() else {
        return Err(Refusal::internal("a key was believed without a credential"));
    };
    let claims = ek.report();
    let boot = NewBoot {
        machine: &machine,
        launch_identity: &LaunchIdentity::of(claims).digest().0,
        measurement: &hex(&claims.report.measurement().0),
        attester: &name()?,
        ek_public: ek.public_area(),
        report: claims.report.as_bytes(),
    };
    let number = app.store().register(&boot, now().0)?;
    let attester = boot.attester.to_owned();
    app.attesters().insert(attester.clone(), Attester { key: key.into(), clock: None });
    Ok(Registered { attester, machine, boot: number })
}

fn note_refusal(app: &App, machine: &str, refusal: &Refusal) {
    // The client's refusal stands whether or not the log could be written.
    if let Err(error) = app.store().audit(Some(machine), "registration-refused", refusal.message(), now().0) {
        eprintln!("evtpm-verifier: {error}");
    }
}

fn unknown_registration() -> Refusal {
    Refusal::unknown("unknown-registration", "this registration does not exist, has expired or is at another step")
}

fn check_machine_name(name: &str) -> Result<(), Refusal> {
    let is_good = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if is_good { Ok(()) } else { Err(Refusal::bad_request("a machine's name is 1 to 64 of a-z A-Z 0-9 . _ -")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_name_is_short_and_plain() {
        for name in ["a", "vm-7.example_x"] {
            assert!(check_machine_name(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "../x", "a\n", &"x".repeat(65)] {
            assert!(check_machine_name(name).is_err(), "{name}");
        }
    }
}
