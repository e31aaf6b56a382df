// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One request of a verifier or a tenant, and its answer: no socket is known here.

use std::path::{Path, PathBuf};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evtpm_client::Transport;
use evtpm_crypto::{Crypto, HashAlg, Rng, RustCrypto};
use evtpm_keylime::agent::{AgentInfo, KeyProof, PublicKey, Quote, UKey, VKey, Versions};
use evtpm_keylime::{ApiVersion, Envelope, Nothing};
use evtpm_tpm_wire::{PcrIndex, PcrSelect};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ima_list::ImaList;
use super::payload::{HalfKey, Halves, PayloadFolder, TenantHalf};
use super::quote::{BANK_NAME, quote, select};
use super::revocation::Revocations;
use super::transport_key::TransportKey;
use crate::keys::Keys;
use crate::random::SystemRng;

/// The longest nonce (Keylime's agents have the same limit).
const MAX_NONCE: usize = 64;
/// The version since which an endorsement key's size is part of its algorithm's name.
const SIZED_NAMES: ApiVersion = ApiVersion { major: 2, minor: 5 };
/// The scheme of our attestation key.
const SIGNATURE: &str = "ecdsa";

/// An agent that waits to be asked.
#[derive(Debug)]
pub struct PullAgent<T, R> {
    /// The name under which it registered.
    pub name: String,
    /// The TPM.
    pub keys: Keys<T, R>,
    /// The key under which payload keys travel.
    pub transport_key: TransportKey,
    /// IMA's ASCII list.
    pub ima: ImaList,
    /// The firmware's event log.
    pub event_log: PathBuf,
    /// Where payloads go; without, they are refused.
    pub payloads: Option<PayloadFolder>,
    /// What becomes of revocation messages.
    pub revocations: Revocations,
    halves: Halves,
}

/// An answer: status, and a body of JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// A request that is not answered with what it asks for.
#[derive(Debug)]
struct Refusal {
    status: u16,
    reason: String,
}

impl Refusal {
    fn bad(reason: impl Into<String>) -> Self {
        Refusal { status: 400, reason: reason.into() }
    }
}

/// What is our fault, or the TPM's: a verifier tries again.
impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Refusal { status: 500, reason: format!("{error:#}") }
    }
}

impl<T: Transport, R: Rng> PullAgent<T, R> {
    /// Makes an agent with no payload key yet.
    pub fn new(
        name: String,
        keys: Keys<T, R>,
        transport_key: TransportKey,
        ima: ImaList,
        event_log: &Path,
        payloads: Option<PayloadFolder>,
    ) -> Self {
        let (halves, revocations) = Default::default();
        PullAgent { name, keys, transport_key, ima, event_log: event_log.to_owned(), payloads, revocations, halves }
    }

    /// Answers one request. The peer has shown a certificate already.
    pub fn answer(&mut self, method: &Method, path: &str, query: &str, body: &[u8]) -> Reply {
        self.route(method, path, query, body).unwrap_or_else(|refusal| {
            tracing::warn!(%method, path, status = refusal.status, reason = refusal.reason, "a request was refused");
            reply(&Envelope::error(refusal.status, refusal.reason))
        })
    }

    fn route(&mut self, method: &Method, path: &str, query: &str, body: &[u8]) -> Result<Reply, Refusal> {
        if path == "/version" {
            let [.., supported_version] = ApiVersion::PULL;
            let versions = Versions { supported_version, supported_versions: ApiVersion::PULL.to_vec() };
            return get(method).map(|()| success(versions));
        }
        let (version, resource) = path.strip_prefix('/').and_then(|path| path.split_once('/')).unwrap_or_default();
        let Some(version) = version.starts_with('v').then(|| version.parse::<ApiVersion>().ok()).flatten() else {
            return Err(Refusal::bad("there is /version, and there are resources below /v2.1 to /v2.6"));
        };
        if !ApiVersion::PULL.contains(&version) {
            // The verifier looks for these words, and asks for our versions then.
            return Err(Refusal::bad(format!("API version not supported: v{version}")));
        }
        let question = Question { version, query };
        match resource {
            "agent/info" => get(method).map(|()| success(self.info(version))),
            "keys/pubkey" => get(method).map(|()| success(PublicKey { pubkey: self.transport_key.pem().to_owned() })),
            "keys/verify" => get(method).and_then(|()| self.prove_key(&question)),
            "keys/ukey" => post(method).and_then(|()| self.take_tenant_half(body)),
            "keys/vkey" => post(method).and_then(|()| self.take_verifier_half(body)),
            "notifications/revocation" => post(method).and_then(|()| self.take_revocation(body)),
            "quotes/identity" => get(method).and_then(|()| self.identity(&question)),
            "quotes/integrity" => get(method).and_then(|()| self.integrity(&question)),
            _ => Err(Refusal { status: 404, reason: format!("there is no resource {resource}") }),
        }
    }

    fn info(&self, version: ApiVersion) -> AgentInfo {
        AgentInfo {
            agent_uuid: self.name.clone(),
            tpm_hash_alg: BANK_NAME.to_owned(),
            tpm_enc_alg: endorsement_algorithm(version).to_owned(),
            tpm_sign_alg: SIGNATURE.to_owned(),
            ak_handle: self.keys.ak.handle.0,
        }
    }

    /// A quote that only shows whose TPM and transport key this is.
    fn identity(&mut self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let mut answer = self.quote(question, PcrSelect::NONE)?;
        answer.pubkey = Some(self.transport_key.pem().to_owned());
        Ok(success(answer))
    }

    /// A quote over what was measured, with the logs behind it.
    fn integrity(&mut self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let mask = question.word("mask")?;
        let select = select(mask).ok_or_else(|| Refusal::bad(format!("mask `{mask}` is no bit mask of 24 PCRs")))?;
        let with_key = match question.word("partial")? {
            "0" => true,
            "1" => false,
            other => return Err(Refusal::bad(format!("partial is 0 or 1, not `{other}`"))),
        };
        let first = match question.find("ima_ml_entry") {
            None => 0,
            Some(text) => text.parse().map_err(|_| Refusal::bad(format!("ima_ml_entry `{text}` is no number")))?,
        };

        let mut answer = self.quote(question, select)?;
        if with_key {
            answer.pubkey = Some(self.transport_key.pem().to_owned());
        }
        if select.contains(PcrIndex::Pcr0) {
            let log = crate::logs::read(&self.event_log)?;
            answer.mb_measurement_list = (!log.is_empty()).then(|| STANDARD.encode(log));
        }
        // After the quote: the list then holds at least what the quote covers, and a verifier finds the prefix.
        if let Some((list, begin)) = self.ima.from(first)? {
            answer.ima_measurement_list = Some(list);
            answer.ima_measurement_list_entry = Some(begin);
        }
        Ok(success(answer))
    }

    fn quote(&mut self, question: &Question<'_>, select: PcrSelect) -> Result<Quote, Refusal> {
        let nonce = question.word("nonce")?;
        if nonce.len() > MAX_NONCE {
            return Err(Refusal::bad(format!("the nonce has {} letters, more than {MAX_NONCE}", nonce.len())));
        }
        let quote = quote(&mut self.keys, nonce.as_bytes(), select, self.transport_key.pem())?;
        Ok(Quote {
            quote: quote.to_string(),
            hash_alg: BANK_NAME.to_owned(),
            enc_alg: endorsement_algorithm(question.version).to_owned(),
            sign_alg: SIGNATURE.to_owned(),
            ..Quote::default()
        })
    }

    fn take_tenant_half(&mut self, body: &[u8]) -> Result<Reply, Refusal> {
        let message: UKey = json(body)?;
        let auth_tag = unhex(&message.auth_tag).ok_or_else(|| Refusal::bad("auth_tag is not hexadecimal"))?;
        let half = self.half(&message.encrypted_key)?;
        let payload = message.payload.as_deref().map(|payload| decode("payload", payload)).transpose()?;
        if payload.is_some() && self.payloads.is_none() {
            return Err(Refusal::bad("this agent takes no payload: it was started without --payload-dir"));
        }
        self.halves.add_tenant(TenantHalf { half, auth_tag, payload });
        self.combine()
    }

    fn take_verifier_half(&mut self, body: &[u8]) -> Result<Reply, Refusal> {
        let message: VKey = json(body)?;
        let half = self.half(&message.encrypted_key)?;
        self.halves.add_verifier(half);
        self.combine()
    }

    fn half(&self, encrypted: &str) -> Result<HalfKey, Refusal> {
        let encrypted = decode("encrypted_key", encrypted)?;
        let opened =
            self.transport_key.open(&encrypted, &mut SystemRng).map_err(|error| Refusal::bad(format!("{error:#}")))?;
        let half: [u8; 32] = opened
            .as_slice()
            .try_into()
            .map_err(|_| Refusal::bad(format!("half a key has {} bytes instead of 32", opened.len())))?;
        Ok(Zeroizing::new(half))
    }

    /// Delivers the payload once both halves are here. Neither sender has to know which one was last.
    fn combine(&mut self) -> Result<Reply, Refusal> {
        if let Some(payload) = self.halves.combine(&self.name) {
            let payload = payload.map_err(|error| Refusal::bad(format!("{error:#}")))?;
            if let Some(folder) = &self.payloads {
                let path = folder.deliver(&payload)?;
                tracing::info!(path = %path.display(), "the payload is there");
            }
        }
        Ok(success(Nothing))
    }

    fn take_revocation(&self, body: &[u8]) -> Result<Reply, Refusal> {
        self.revocations.take(&json(body)?).map_err(|error| Refusal::bad(format!("{error:#}")))?;
        Ok(success(Nothing))
    }

    fn prove_key(&self, question: &Question<'_>) -> Result<Reply, Refusal> {
        let challenge = question.word("challenge")?;
        let key = self.halves.key().ok_or_else(|| Refusal::bad("Bootstrap key not yet available."))?;
        let proof = RustCrypto::hmac(HashAlg::Sha384, key, &[challenge.as_bytes()]);
        Ok(success(KeyProof { hmac: hex(proof.as_bytes()) }))
    }
}

/// The name of our endorsement key's algorithm, which is P-256.
fn endorsement_algorithm(version: ApiVersion) -> &'static str {
    if version < SIZED_NAMES { "ecc" } else { "ecc256" }
}

/// What stands in the request's line.
struct Question<'a> {
    version: ApiVersion,
    query: &'a str,
}

impl<'a> Question<'a> {
    fn find(&self, name: &str) -> Option<&'a str> {
        self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|pair| pair.1)
    }

    /// A value that has to be there, of letters and digits alone: so nothing in it needs an escape.
    fn word(&self, name: &str) -> Result<&'a str, Refusal> {
        let word = self.find(name).ok_or_else(|| Refusal::bad(format!("{name} is missing")))?;
        let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain { Ok(word) } else { Err(Refusal::bad(format!("{name} should be strictly alphanumeric"))) }
    }
}

fn get(method: &Method) -> Result<(), Refusal> {
    allow(method, &Method::GET)
}

fn post(method: &Method) -> Result<(), Refusal> {
    allow(method, &Method::POST)
}

fn allow(actual: &Method, expected: &Method) -> Result<(), Refusal> {
    if actual == expected {
        return Ok(());
    }
    Err(Refusal { status: 405, reason: format!("the method here is {expected}, not {actual}") })
}

fn success(results: impl Serialize) -> Reply {
    reply(&Envelope::success(results))
}

fn reply<S: Serialize>(envelope: &Envelope<S>) -> Reply {
    match serde_json::to_vec(envelope) {
        Ok(body) => Reply { status: envelope.code, body },
        // Our types have text for keys, so there is nothing that JSON could not hold.
        Err(error) => Reply { status: 500, body: error.to_string().into_bytes() },
    }
}

fn json<A: DeserializeOwned>(body: &[u8]) -> Result<A, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::bad(format!("the body is not what the API says: {error}")))
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| Refusal::bad(format!("{name} is not base64")))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|letter| letter.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    pairs
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests;
