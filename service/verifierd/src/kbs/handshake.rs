// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A nonce, the report that covers it and the guest's key, a signed result; then resources, as long as that counts.

use std::sync::Arc;

use evtpm_api::kbs::{Attestation, Challenge, CompositeEvidence, Jwe, NoParameters, Request, TeeKey, Token};
use evtpm_appraise::{Claims, appraise};
use evtpm_crypto::{Crypto, HashAlg, Rng, RustCrypto, constant_time_eq};
use evtpm_verify::Verified;
use evtpm_verify::snp::{self, SnpClaims};
use serde::Serialize;

use super::resources::{self, note};
use super::{Guest, jwe};
use crate::app::{App, instant, now};
use crate::hex::hex;
use crate::judge;
use crate::policies::DEFAULT;
use crate::random::{SystemRng, name};
use crate::refusal::Refusal;

/// The versions of the protocol that are spoken.
const VERSION: &str = "0.4.";

/// Opens a session; returns its name beside the challenge.
pub(crate) fn open(app: &App, request: &Request) -> Result<(String, Challenge), Refusal> {
    if !request.version.starts_with(VERSION) {
        return Err(Refusal::unattested(format!("version {} of the protocol; expected {VERSION}x", request.version)));
    }
    if request.tee != "snp" {
        return Err(Refusal::unattested(format!("evidence of `{}`; expected snp", request.tee)));
    }
    let mut nonce = [0; 32];
    SystemRng.fill(&mut nonce)?;
    let (session, nonce) = (name()?, hex(&nonce));
    app.kbs.opened().insert(session.clone(), nonce.clone(), instant());
    Ok((session, Challenge { nonce, extra_params: NoParameters {} }))
}

/// Verifies what answers the challenge of a session.
pub(crate) async fn attest(app: &Arc<App>, session: &str, attestation: Attestation) -> Result<Token, Refusal> {
    // Taken, not borrowed: a nonce freshens one report, right or wrong (rule 4).
    let nonce = app.kbs.opened().take(session, instant()).ok_or_else(unknown_session)?;
    let (guest, token) = app.busy(move |app| judge(app, &nonce, &attestation)).await?;
    app.kbs.attested().insert(session.to_owned(), Arc::new(guest), instant());
    Ok(token)
}

/// Gives a resource to an attested guest that one of its policies finds good.
pub(crate) async fn resource(app: &Arc<App>, session: &str, path: &str) -> Result<Jwe, Refusal> {
    let guest = app.kbs.attested().get(session, instant()).cloned().ok_or_else(unknown_session)?;
    let record = resources::find(app, path).await?;
    let claims = Claims::new().with_report(&guest.report);
    let mut reasons = Vec::new();
    for policy in &record.policies {
        let Some(policy) = app.policies.named(policy) else { continue };
        let appraisal = appraise(&policy.policy, &claims).map_err(Refusal::internal)?;
        if appraisal.verdict().name() == "trusted" {
            let launch = hex(&guest.report.report.measurement().0);
            let detail = format!("{path} to a guest launched as {launch}, by {}", policy.id);
            let encrypted = jwe::encrypt(&guest.key, &record.open(app, path)?)?;
            app.store.note(note("resource-released", detail)).await?;
            return Ok(encrypted);
        }
        reasons.extend(judge::objections(&appraisal));
    }
    let reasons = reasons.join(" ");
    app.store.note(note("resource-refused", format!("{path}: {reasons}"))).await?;
    Err(Refusal::not_trusted(format!("{path} is not for this guest: {reasons}")))
}

/// Believes the report, and that it covers nonce and key; the result is that of the default policy.
fn judge(app: &App, nonce: &str, attestation: &Attestation) -> Result<(Guest, Token), Refusal> {
    let runtime = &attestation.runtime_data;
    if !constant_time_eq(runtime.nonce.as_bytes(), nonce.as_bytes()) {
        return Err(Refusal::unattested("the nonce is not the challenge's"));
    }
    let report = believe(app, &attestation.tee_evidence)?;
    let expected = report_data(nonce, &runtime.tee_pubkey, &attestation.tee_evidence.additional_evidence)?;
    if !constant_time_eq(report.report.report_data(), &expected) {
        let actual = hex(report.report.report_data());
        return Err(Refusal::unattested(format!("REPORT_DATA is {actual}; expected {}", hex(&expected))));
    }
    let policy = app.policies.named(DEFAULT).ok_or_else(|| Refusal::unattested("there is no policy `default`"))?;
    let claims = Claims::new().with_report(&report);
    let appraisal = appraise(&policy.policy, &claims).map_err(Refusal::internal)?;
    let token = judge::result(&app.signer, &policy.id, &appraisal, now())?;
    Ok((Guest { report, key: runtime.tee_pubkey.clone() }, Token { token }))
}

fn believe(app: &App, evidence: &CompositeEvidence) -> Result<Verified<SnpClaims>, Refusal> {
    if !matches!(evidence.additional_evidence.as_str(), "" | "{}") {
        return Err(Refusal::unattested("evidence of further devices is not judged here"));
    }
    let primary = &evidence.primary_evidence;
    let report = primary.attestation_report.to_bytes().map_err(Refusal::unattested)?;
    let mut collateral = app.collateral.clone();
    for certificate in primary.cert_chain.iter().flatten() {
        // A host may hand in what is of no use: it vouches for nothing that our roots do not.
        if let Err(error) = collateral.add_certificates(&certificate.data) {
            tracing::warn!(%error, "a certificate of a guest's host");
        }
    }
    snp::verify(&report, &collateral, &app.anchors, now()).map_err(Refusal::unattested)
}

/// What REPORT_DATA has to be: SHA-384 over the canonical JSON of nonce, key and further evidence, then zeros.
fn report_data(nonce: &str, key: &TeeKey, additional_evidence: &str) -> Result<[u8; 64], Refusal> {
    /// Fields in the order of their names (RFC 8785).
    #[derive(Serialize)]
    struct Covered<'a> {
        #[serde(rename = "additional-evidence")]
        additional_evidence: &'a str,
        nonce: &'a str,
        #[serde(rename = "tee-pubkey")]
        tee_pubkey: &'a TeeKey,
    }
    let covered = Covered { additional_evidence, nonce, tee_pubkey: key };
    let json = serde_json::to_vec(&covered).map_err(Refusal::internal)?;
    let mut data = [0; 64];
    let digest = RustCrypto::hash(HashAlg::Sha384, &[&json]);
    for (byte, digest) in data.iter_mut().zip(digest.as_bytes()) {
        *byte = *digest;
    }
    Ok(data)
}

fn unknown_session() -> Refusal {
    Refusal::unattested("this session does not exist, has expired or is at another step: begin at /kbs/v0/auth")
}
