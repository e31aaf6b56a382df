// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Agents that register: a credential for their keys, the proof that their TPM opened it.
//!
//! What an agent says counts once it is proven; until then whoever is registered stays so.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_appraise::LaunchIdentity;
use evtpm_crypto::{Crypto, HashAlg, RustCrypto, constant_time_eq};
use evtpm_evidence::ek_certificate::EkCertificate;
use evtpm_keylime::registrar::{DeviceKeys, RegisteredAgent, Registration, RegistrationBlob, credential_file};
use evtpm_protocol::credential;
use evtpm_tpm_wire::{Marshal, Secret, Tpm2bEncryptedSecret, Tpm2bIdObject, Tpm2bName};
use evtpm_verify::evtpm::Binding;
use evtpm_verify::tpm::{AkPublic, EkPublic};
use serde::{Deserialize, Serialize};

use crate::app::{App, expiry, now};
use crate::hex::unhex;
use crate::machines::identity::{BindingEvidence, bound, check_name};
use crate::random::{self, SystemRng};
use crate::refusal::Refusal;
use crate::store::{Item, Note};

/// Active agents, in the store.
const ACTIVE: &str = "keylime-agent";
/// Agents that were given a credential.
const PENDING: &str = "keylime-pending";

/// What waits for the proof.
#[derive(Debug, Serialize, Deserialize)]
struct Pending {
    registration: Registration,
    /// The secret of the credential: 32 characters, as Keylime's agents expect.
    secret: String,
    /// Whose device it is, if the agent showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
}

/// Gives an agent a credential that only the TPM with both keys can open.
pub(crate) async fn begin(
    app: &Arc<App>,
    agent: &str,
    registration: Registration,
) -> Result<RegistrationBlob, Refusal> {
    check_name("agent", agent)?;
    if let Some(known) = active(app, agent).await?
        && known.registration.ek_tpm != registration.ek_tpm
    {
        let (name, new) = (agent.to_owned(), registration.clone());
        app.busy(move |app| check_same_launch(app, &name, &known.registration, &new)).await?;
    }
    let device = device(app, agent, &registration).await?;
    let secret = random::name()?;
    let blob = app.brief(|_| challenge(&registration, &secret)).await?;
    let body = json(&Pending { registration, secret, device })?;
    app.store.put_fleeting_item(PENDING, agent, body, now().0, expiry().0.0).await?;
    Ok(RegistrationBlob { blob: STANDARD.encode(blob) })
}

/// Checks what the agent says of its device, and returns whose it is.
async fn device(app: &Arc<App>, agent: &str, registration: &Registration) -> Result<Option<String>, Refusal> {
    if registration.device == DeviceKeys::default() {
        app.keylime.devices.check_absent()?;
        return Ok(None);
    }
    let (agent, registration) = (agent.to_owned(), registration.clone());
    app.busy(move |app| app.keylime.devices.check(&agent, &registration)).await.map(Some)
}

/// Whoever is registered may come again with the same endorsement key, or, after a reboot of an e-vTPM, with another one
/// whose report shows the same launch on the same chip (verification rule 10).
fn check_same_launch(app: &App, agent: &str, known: &Registration, new: &Registration) -> Result<(), Refusal> {
    let other = |why: &str| {
        let message =
            format!("agent {agent} is registered with another TPM: an administrator has to remove it first{why}");
        Refusal::evidence(message)
    };
    let (Some(before), Some(after)) = (report(known), report(new)) else { return Err(other("")) };
    let launch = |registration: &Registration, report: &[u8]| {
        launch(app, registration, report).map_err(|refusal| other(&format!(" ({})", refusal.message())))
    };
    if launch(known, &before)? == launch(new, &after)? {
        return Ok(());
    }
    Err(other(" (its report shows another launch, or another chip)"))
}

/// The report in what stands for the endorsement key's certificate, if there is one.
fn report(registration: &Registration) -> Option<Vec<u8>> {
    let der = STANDARD.decode(registration.ekcert.as_deref()?).ok()?;
    EkCertificate::parse(&der).ok().map(|certificate| certificate.report)
}

/// What launched the TPM with this endorsement key.
fn launch(app: &App, registration: &Registration, report: &[u8]) -> Result<LaunchIdentity, Refusal> {
    let ek = STANDARD.decode(&registration.ek_tpm).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let evidence = BindingEvidence { statement: report, manifest: None, certificates: None, ek_public: &ek };
    let bound = bound(app, &evidence, Binding::NvReport { ek: &ek })?;
    Ok(LaunchIdentity::of(bound.report()))
}

/// Makes the credential. Both keys have to keep the rules for such keys (verification rule 3).
fn challenge(registration: &Registration, secret: &str) -> Result<Vec<u8>, Refusal> {
    let decode = |what: &str, text: &str| {
        STANDARD.decode(text).map_err(|error| Refusal::bad_request(format!("{what} is not base64: {error}")))
    };
    let ek = decode("ek_tpm", &registration.ek_tpm)?;
    let ek = ek.get(2..).ok_or_else(|| Refusal::bad_request("ek_tpm is no TPM2B_PUBLIC"))?;
    let ek = EkPublic::from_tpmt(ek).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let ak = AkPublic::from_tpm2b(&decode("aik_tpm", &registration.aik_tpm)?);
    let ak = ak.map_err(|error| Refusal::bad_request(error.to_string()))?;
    let secret = Secret::new(secret.as_bytes()).map_err(|_| Refusal::internal("a secret is too long"))?;
    let name = Tpm2bName::new(ak.name()).map_err(|_| Refusal::internal("a Name is too long"))?;
    let (id_object, encrypted) = credential::make::<RustCrypto>(ek.public(), &secret, &name, &mut SystemRng)
        .map_err(|error| Refusal::bad_request(format!("no credential can be made for ek_tpm: {error:?}")))?;
    let mut buffers = ([0; 2 + Tpm2bIdObject::CAPACITY], [0; 2 + Tpm2bEncryptedSecret::CAPACITY]);
    let too_long = |_| Refusal::internal("a credential is too long");
    let id_object = id_object.to_bytes(&mut buffers.0).map_err(too_long)?;
    let encrypted = encrypted.to_bytes(&mut buffers.1).map_err(too_long)?;
    Ok(credential_file(id_object, encrypted))
}

/// Takes the proof; a wrong one uses the credential up. Returns the agent as it is now.
pub(crate) async fn prove(app: &App, agent: &str, auth_tag: &str) -> Result<RegisteredAgent, Refusal> {
    let unknown = || Refusal::unknown("unknown-agent", format!("agent {agent} has no registration to activate"));
    let item = app.store.item(PENDING, agent).await?.filter(|item| item.due_at.is_some_and(|end| now().0 < end));
    let item = item.ok_or_else(unknown)?;
    let Pending { registration, secret, device } = serde_json::from_str(&item.body).map_err(Refusal::internal)?;
    // Whoever removes it is the one that may use it: the same proof does not count twice.
    if !app.store.remove_item(PENDING, agent, None).await? {
        return Err(unknown());
    }
    let key = STANDARD.encode(secret);
    let expected = RustCrypto::hmac(HashAlg::Sha384, key.as_bytes(), &[agent.as_bytes()]);
    let given = unhex(auth_tag).unwrap_or_default();
    if !constant_time_eq(&given, expected.as_bytes()) {
        app.store.note(note(agent, "registration-refused", "wrong auth_tag".into())).await?;
        return Err(Refusal::evidence("auth_tag is not that of the credential's secret: register again"));
    }
    let known = app.store.item(ACTIVE, agent).await?;
    let version = known.as_ref().map_or(0, |item| item.version);
    let regcount = known.map(|item| read(&item)).transpose()?.map_or(0, |agent| agent.regcount).saturating_add(1);
    let registered = RegisteredAgent { agent_id: agent.to_owned(), registration, regcount };
    let item = Item { name: agent.to_owned(), body: json(&registered)?, version, due_at: None };
    let device = device.map(|device| format!(", {device}")).unwrap_or_default();
    let detail = format!("as a Keylime agent, for the {regcount}. time{device}");
    app.store.put_item(ACTIVE, item, Some(note(agent, "registered", detail))).await?;
    Ok(registered)
}

/// Finds an active agent.
pub(crate) async fn active(app: &App, agent: &str) -> Result<Option<RegisteredAgent>, Refusal> {
    app.store.item(ACTIVE, agent).await?.map(|item| read(&item)).transpose()
}

/// Lists the active agents with what they registered.
pub(crate) async fn all(app: &App) -> Result<Vec<RegisteredAgent>, Refusal> {
    app.store.items(ACTIVE).await?.iter().map(read).collect()
}

/// Lists the active agents.
pub(crate) async fn list(app: &App) -> Result<Vec<String>, Refusal> {
    Ok(app.store.items(ACTIVE).await?.into_iter().map(|item| item.name).collect())
}

/// Forgets an agent. Tells whether there was one.
pub(crate) async fn remove(app: &App, agent: &str, by: &str) -> Result<bool, Refusal> {
    app.store.remove_item(PENDING, agent, None).await?;
    let line = note(agent, "registration-removed", format!("by {by}"));
    Ok(app.store.remove_item(ACTIVE, agent, Some(line)).await?)
}

fn read(item: &Item) -> Result<RegisteredAgent, Refusal> {
    serde_json::from_str(&item.body).map_err(Refusal::internal)
}

fn json(value: &impl Serialize) -> Result<String, Refusal> {
    serde_json::to_string(value).map_err(Refusal::internal)
}

fn note(agent: &str, event: &'static str, detail: String) -> Note {
    Note { at: now().0, machine: Some(agent.to_owned()), event, detail }
}

#[cfg(test)]
mod tests;
