// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sessions: a challenge, and the proof that the agent's attestation key answered it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_keylime::push::Possession;
use evtpm_keylime::verifier::OperationalState;
use evtpm_verify::UnixTime;
use evtpm_verify::tpm::{AkPublic, Issued, Nonce, TrustedAk};
use serde::{Deserialize, Serialize};

use super::{Push, Turned};
use crate::app::{App, expiry, now};
use crate::keylime::rounds::{milliseconds, note};
use crate::keylime::watches::{self, WATCHED, Watch};
use crate::machines::identity::check_name;
use crate::random::{self, SystemRng};
use crate::refusal::Refusal;
use crate::store::{Item, StoreError};

/// Sessions that wait for their proof, in the store.
pub(super) const PENDING: &str = "keylime-session";
/// Milliseconds in which a proof has to come (Keylime's default).
const CHALLENGE: u64 = 60_000;
/// Expired ones that are removed before a new one begins: more than one, so that they become fewer.
const FORGET_AT_ONCE: u32 = 4;

/// A session that waits for its proof. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) agent: String,
    /// Base64.
    pub(crate) challenge: String,
    pub(crate) created_at: u64,
    pub(crate) expires_at: u64,
}

/// What came of a proof.
#[derive(Debug)]
pub(crate) enum Proof {
    /// The token, and when it expires.
    Good { token: String, expires_at: u64 },
    /// The key did not answer the challenge.
    Bad,
    /// Nobody ordered to watch this agent, or the challenge has expired.
    Void,
}

/// Gives whoever says to be `agent` a challenge; whether there is such an agent is not told.
pub(crate) async fn open(app: &App, agent: &str) -> Result<(String, Opened), Turned> {
    check_name("agent", agent)?;
    let at = milliseconds();
    for item in app.store.claim(PENDING, at, at + CHALLENGE, FORGET_AT_ONCE).await? {
        app.store.remove_item(PENDING, &item.name, None).await?;
    }
    let nonce = Issued::<Nonce>::issue(&mut SystemRng, expiry().0).map_err(Refusal::internal)?;
    let opened = Opened {
        agent: agent.to_owned(),
        challenge: STANDARD.encode(nonce.challenge()),
        created_at: at,
        expires_at: at + CHALLENGE,
    };
    let id = random::name().map_err(Refusal::internal)?;
    let body = serde_json::to_string(&opened).map_err(Refusal::internal)?;
    let item = Item { name: id.clone(), body, version: 0, due_at: Some(opened.expires_at) };
    app.store.put_item(PENDING, item, None).await?;
    Ok((id, opened))
}

/// Takes the proof, which uses the challenge up, and gives a token for a good one.
pub(crate) async fn prove(
    app: &Arc<App>,
    id: &str,
    agent: &str,
    possession: Option<&Possession>,
) -> Result<(Opened, Proof), Turned> {
    let unknown = || Turned::not_found("Session not found");
    let item = app.store.item(PENDING, id).await?.ok_or_else(unknown)?;
    let opened: Opened = serde_json::from_str(&item.body).map_err(Refusal::internal)?;
    if opened.agent != agent {
        return Err(Turned::new(400, "bad_request", "Agent ID mismatch"));
    }
    // Whoever removes it is the one that may use it: the same proof does not count twice.
    if !app.store.remove_item(PENDING, id, None).await? {
        return Err(unknown());
    }
    let Some((watch, _)) = watches::find(app, agent).await? else { return Ok((opened, Proof::Void)) };
    if milliseconds() >= opened.expires_at {
        return Ok((opened, Proof::Void));
    }
    let ak = watch.order.ak_tpm;
    if !is_possessed(app, &ak, &opened, possession).await? {
        app.store.note(note(agent, "session-refused", "its attestation key did not answer".to_owned())).await?;
        return Ok((opened, Proof::Bad));
    }
    let token =
        format!("{id}.{}{}", random::name().map_err(Refusal::internal)?, random::name().map_err(Refusal::internal)?);
    let expires_at = begin(app, agent, &ak, &token).await?;
    Ok((opened, Proof::Good { token, expires_at }))
}

async fn is_possessed(
    app: &Arc<App>,
    ak: &str,
    opened: &Opened,
    possession: Option<&Possession>,
) -> Result<bool, Refusal> {
    let decoded = possession.and_then(|possession| {
        let decode = |text: &str| STANDARD.decode(text).ok();
        Some((decode(&possession.message)?, decode(&possession.signature)?))
    });
    let (Some((message, signature)), Ok(challenge), Ok(ak)) =
        (decoded, STANDARD.decode(&opened.challenge), STANDARD.decode(ak))
    else {
        return Ok(false);
    };
    let expires = UnixTime(opened.expires_at.div_ceil(1_000));
    app.busy(move |_| {
        let nonce = Issued::kept(&challenge, expires);
        let proven = AkPublic::from_tpm2b(&ak)
            .and_then(|ak| TrustedAk::named(ak).possession(&message, &signature, nonce, now()));
        Ok(proven.is_ok())
    })
    .await
}

/// Writes the token down; the agent's order may change meanwhile, but not its key.
async fn begin(app: &App, agent: &str, ak: &str, token: &str) -> Result<u64, Turned> {
    /// Changes of one order are seconds apart: a second one does not come in the moment of the next try.
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let found = watches::find(app, agent).await?.filter(|(watch, _)| watch.order.ak_tpm == ak);
        let (mut watch, item) = found.ok_or_else(|| conflict(agent))?;
        let was_pushing = watch.push.is_some();
        let push = pushing(&mut watch);
        let expires_at = push.begin_session(token);
        // Whoever was asked until now is late from now on.
        let due_at = if was_pushing { item.due_at } else { Some(push.late_at()) };
        match app.store.put_item(WATCHED, watches::write(&watch, item, due_at)?, None).await {
            Err(StoreError::Changed(_)) => {}
            written => return Ok(written.map(|()| expires_at)?),
        }
    }
    Err(conflict(agent))
}

/// Whoever opens a session pushes, and is not asked any more.
fn pushing(watch: &mut Watch) -> &mut Push {
    if watch.push.is_none() && watch.state == OperationalState::GetQuoteRetry {
        watch.state = OperationalState::Start;
    }
    watch.push.get_or_insert_default()
}

fn conflict(agent: &str) -> Turned {
    Turned::new(409, "conflict", format!("Agent '{agent}' was changed while this request was processed."))
}
