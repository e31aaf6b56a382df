// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A Keylime agent of the push model (API 3.0): opens a session with a verifier and shows evidence when it says so. No port
//! is opened, no payload comes.
//!
//! Keylime's verifier (7.14) takes sessions by RSASSA with SHA-256 alone, so the attestation key is an RSA-2048 one here.

mod client;
mod evidence;
pub mod program;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_client::Transport;
use evtpm_crypto::Rng;
use evtpm_keylime::push::{
    AttestationState, AuthenticationOffer, AuthenticationProof, Capabilities, CollectedEvidence, Document, Negotiated,
    Possession, SessionChallenge, SessionOpening, SessionProof, SessionResult, SystemInfo,
};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use client::{Refused, Verifier};

use super::ImaList;
use super::options::is_plain;
use crate::keys::{Keys, bytes_of};

/// Where a verifier expects the evidence that it has just asked for.
const LATEST: &str = "attestations/latest";

/// An agent that comes by itself.
#[derive(Debug)]
pub struct PushAgent<T, R> {
    /// The name under which it registered.
    pub name: String,
    /// The verifier.
    pub verifier: Verifier,
    /// The TPM, with an attestation key that the verifier takes.
    pub keys: Keys<T, R>,
    /// IMA's ASCII list.
    pub ima: ImaList,
    /// The firmware's event log.
    pub event_log: PathBuf,
    /// When the machine was started (RFC 3339): another one means that the IMA list began anew.
    pub boot_time: String,
    token: Option<Zeroizing<String>>,
}

impl<T: Transport, R: Rng> PushAgent<T, R> {
    /// Makes an agent that has no session yet.
    pub fn new(
        name: String,
        verifier: Verifier,
        keys: Keys<T, R>,
        ima: ImaList,
        event_log: PathBuf,
        boot_time: String,
    ) -> Self {
        PushAgent { name, verifier, keys, ima, event_log, boot_time, token: None }
    }

    /// Attests once, and returns when the verifier wants to see the next evidence. The verdict is not told to agents.
    ///
    /// # Errors
    /// [`Refused`] with what the verifier said; or what broke on the way.
    pub async fn attest(&mut self) -> Result<Duration> {
        let supported = evidence::supported(&self.keys, &mut self.ima, &self.event_log)?;
        let system_info = SystemInfo { boot_time: Some(self.boot_time.clone()) };
        let capabilities = Capabilities { evidence_supported: supported, system_info };
        let asked: Document<Negotiated> = self.say(Method::POST, "attestations", "attestation", &capabilities).await?;
        let requested = asked.data.attributes.evidence_requested;
        let collected = evidence::collect(&mut self.keys, &mut self.ima, &self.event_log, &requested)?;
        let collected = CollectedEvidence { evidence_collected: collected };
        let taken: Document<AttestationState> = self.say(Method::PATCH, LATEST, "attestation", &collected).await?;
        Ok(Duration::from_secs(taken.meta.map_or(0, |meta| meta.seconds_to_next_attestation)))
    }

    /// Says something below our own path. A session that the verifier ended, since it expired or we failed, is opened anew.
    async fn say<A: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        kind: &str,
        attributes: &impl Serialize,
    ) -> Result<Document<A>> {
        let path = format!("/agents/{}/{path}", self.name);
        let body = Document::new(kind, attributes);
        if let Some(token) = self.token.take() {
            match self.verifier.ask(method.clone(), &path, Some(&token), &body).await {
                Err(error) if Refused::is(&error, 401) => {}
                answer => {
                    self.token = Some(token);
                    return answer;
                }
            }
        }
        let token = self.open_session().await?;
        let answer = self.verifier.ask(method, &path, Some(&token), &body).await;
        self.token = Some(token);
        answer
    }

    /// Shows that the attestation key is in our TPM, and gets a token for it.
    async fn open_session(&mut self) -> Result<Zeroizing<String>> {
        let way = AuthenticationOffer::tpm_possession();
        let agent_id = self.name.clone();
        let opening = SessionOpening { agent_id: agent_id.clone(), authentication_supported: vec![way.clone()] };
        let opening = Document::new("session", &opening);
        let opened: Document<SessionChallenge> = self.verifier.ask(Method::POST, "/sessions", None, &opening).await?;
        let session = opened.data.id.context("the verifier's session has no id")?;
        anyhow::ensure!(is_plain(&session), "the verifier's session has the id `{session}`, which is none");
        let asked = opened.data.attributes.authentication_requested.into_iter().find(|asked| asked.way == way);
        let asked = asked.context("the verifier asks for another proof than TPM2_Certify")?;
        let challenge = STANDARD.decode(asked.chosen_parameters.challenge).context("a challenge is not base64")?;

        let ak = self.keys.ak.clone();
        let certified = self.keys.tpm.certify(&ak, &ak, &challenge).context("certifying the attestation key")?;
        let data = Possession {
            message: STANDARD.encode(certified.attest.as_bytes()),
            signature: STANDARD.encode(bytes_of(&certified.signature)?),
        };
        let proof = SessionProof { agent_id, authentication_provided: vec![AuthenticationProof { way, data }] };
        let mut proof = Document::new("session", &proof);
        proof.data.id = Some(session.clone());
        let path = format!("/sessions/{session}");
        let result: Document<SessionResult> = self.verifier.ask(Method::PATCH, &path, None, &proof).await?;
        let token = result.data.attributes.token.map(Zeroizing::new);
        token.context("the verifier gives us no session: its tenant has not added this agent, or with another key")
    }
}
